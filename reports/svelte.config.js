// Evidence merges this into its own configuration. The policy is written into each page, with the
// hash of the one script that starts it; steps/serve.py sends the rest as a header.
export default {
	kit: {
		csp: {
			mode: 'hash',
			directives: {
				'script-src': ['self', 'wasm-unsafe-eval']
			}
		}
	}
};
