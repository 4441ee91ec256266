// Evidence hands data to its pages as parquet, which duckdb-wasm can only read with an extension
// that it downloads. These reports ask nothing of another host, so after every install this step
// changes a few places in the installed Evidence. Where it deals with data:
//   - extensions are never fetched by themselves;
//   - data are Arrow streams, which DuckDB reads without an extension, in the browser when a query
//     first names the table; compressed on the line they are as small as parquet;
//   - a source without rows keeps its columns, and a column of nulls keeps its type;
//   - a slow line is waited for: five seconds are not enough for the 34 MB of DuckDB;
//   - DuckDB is loaded once the page is drawn.
// In the page template and the page head: no logo, name or account of Evidence's own, and no inline
// script, so that the content security policy needs no exception. Pages for who develops reports
// are left out: they take with them an editor and three thousand icons, 5 MB that all pages load.
// Each change replaces a text that stands exactly once in the file as installed (kept in
// node_modules/.originals, so that the step can be repeated). Where it does not, the file is not of
// the version this was written for, and the step says so and stops.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const reports = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const evidence = 'node_modules/@evidence-dev';

const SETTINGS_AFTER = `await connection.query('SET old_implicit_casting = true;');`;
const NO_EXTENSIONS = `${SETTINGS_AFTER}
		await connection.query('SET autoinstall_known_extensions = false;');
		await connection.query('SET autoload_known_extensions = false;');`;

const changes = {
	'universal-sql/src/client-duckdb/both.js': [
		[
			`			// If the database isn't initialized after 5 seconds, throw an error
			setTimeout(() => rej(new Error('Timeout while initializing database')), 5000)`,
			`			// If the database isn't initialized after five minutes, throw an error
			setTimeout(() => rej(new Error('Timeout while initializing database')), 300000)`
		]
	],

	'universal-sql/src/client-duckdb/node.js': [
		[
			`import { withTimeout } from './both.js';`,
			`import { withTimeout } from './both.js';
import { readFileSync } from 'fs';`
		],
		[SETTINGS_AFTER, NO_EXTENSIONS],
		[`slice(0, -'.parquet'.length)`, `slice(0, -'.arrow'.length)`],
		[
			/\t\t\tdb\.registerFileURL\([\s\S]*?read_parquet.*\n\t\t\t\);\n/,
			`			connection.query(\`DROP TABLE IF EXISTS "\${source}"."\${table}";\`);
			connection.insertArrowFromIPCStream(
				readFileSync(url.split(pathDelimiterRegex).join(path.sep)),
				{ schema: source, name: table, create: true }
			);
`
		]
	],

	'universal-sql/src/client-duckdb/browser.js': [
		[
			`let initializing = false;`,
			`let initializing = false;

/**
 * Each table's file, loaded when a query first names the table.
 * @type {Map<string, { source: string, url: string, loaded?: Promise<void> }>}
 */
const tables = new Map();

/** @param {string} sql */
async function loadTablesNamedIn(sql) {
	const words = new Set(sql.match(/\\w+/g));
	const named = [...tables].filter(([table]) => words.has(table));
	await Promise.all(named.map(([table, entry]) => (entry.loaded ??= loadTable(table, entry))));
}

async function loadTable(table, { source, url }) {
	const response = await fetch(url);
	if (!response.ok) throw new Error(\`The data of \${table} is not there (\${response.status})\`);
	const stream = new Uint8Array(await response.arrayBuffer());
	await connection.query(\`DROP TABLE IF EXISTS "\${source}"."\${table}";\`);
	await connection.insertArrowFromIPCStream(stream, { schema: source, name: table, create: true });
}`
		],
		[SETTINGS_AFTER, NO_EXTENSIONS],
		[`slice(0, -'.parquet'.length)`, `slice(0, -'.arrow'.length)`],
		[
			/\t\t\t\tawait db\.registerFileURL\([\s\S]*?read_parquet.*\n\t\t\t\t\);\n/,
			`				tables.set(table, { source, url: addBasePath(path) });
`
		],
		[
			`	await withTimeout(tablesPromise);
`,
			`	await withTimeout(tablesPromise);
	await loadTablesNamedIn(sql);
`
		]
	],

	'universal-sql/src/build-parquet.js': [
		[`if (!rawValues.some((v) => v !== null)) {
				// All null date`, `if (false) {
				// All null date`],
		[`if (!rawValues.some((v) => v !== null)) {
				// All null bool`, `if (false) {
				// All null bool`],
		[/import \{\n\tCompression,[\s\S]*?arrow1\.js';\n/, ``],
		[`import { emptyDbFs, initDB, query } from './client-duckdb/node.js';\n`, ``],
		[`let tmpFilenames = [];`, `const batches = [];`],
		[
			/\t\t\/\/ Converts the arrow table to a buffer\n[\s\S]*?tmpFilenames\.push\(finalTempFilename\);\n/,
			`		batches.push(table);
`
		],
		[
			`	if (currentBatch.length) await flush(currentBatch);

	if (!tmpFilenames.length) return 0;

	await initDB();
`,
			`	if (currentBatch.length || batchNum === 0) await flush(currentBatch);
`
		],
		[
			/\tconst parquetFiles = [\s\S]*?await query\(copy\);\n/,
			`	await fs.mkdir(path.dirname(outputFilepath), { recursive: true });
	await fs.writeFile(outputFilepath, tableToIPC(batches[0].concat(...batches.slice(1)), 'stream'));
`
		],
		[/\tfor \(const tmpFile of tmpFilenames\) \{[\s\S]*?await emptyDbFs\('\*'\);\n/, ``]
	],

	'sdk/src/plugins/datasources/evalSources.js': [
		[`const filename = table.name + '.parquet';`, `const filename = table.name + '.arrow';`]
	],

	'sdk/src/plugins/datasources/updateManifest.js': [
		[
			`locatedQueries.includes(path.basename(queryPath, '.parquet'))`,
			`locatedQueries.includes(path.basename(queryPath, '.arrow'))`
		],
		[
			`path.basename(newQueryPath, '.parquet') === path.basename(queryPath, '.parquet')`,
			`path.basename(newQueryPath) === path.basename(queryPath)`
		]
	],

	'evidence/template/src/app.html': [
		[`<html lang="en">`, `<html lang="en" data-theme="light">`],
		[
			/\t\t<script>\n\t\t\ttry \{[\s\S]*?<\/script>\n/,
			`		<script src="%sveltekit.assets%/begin.js"></script>\n`
		],
		[/\t\t<script>\n\t\t\t\/\*loading\*\/\n\t\t<\/script>\n/, ``],
		[/\n\t\t\t<!-- SplashScreen -->[\s\S]*<\/svg>\n\t\t\t<\/div>\n/, ``],
		[/\n<style>[\s\S]*<\/style>\n/, ``]
	],

	'evidence/template/src/pages/+layout.js': [
		[
			`const database_initialization = profile(loadDB);`,
			`// What a page shows at first was computed when it was built: in the browser DuckDB waits for it.
const isDrawn = new Promise((resolve) => {
	if (!browser) return resolve();
	const wait = () => (window.requestIdleCallback ?? setTimeout)(resolve, { timeout: 1000 });
	if (document.readyState === 'complete') wait();
	else addEventListener('load', wait, { once: true });
});
const database_initialization = isDrawn.then(() => profile(loadDB));`
		]
	],

	// of its components, a page loads those that it uses
	'core-components/package.json': [[`"type": "module",`, `"type": "module",\n\t"sideEffects": ["*.css"],`]],

	// the layout of these reports turns pages light for paper, as Evidence's own does
	'core-components/dist/index.js': [
		[
			`export * from './unsorted/index.js';`,
			`export * from './unsorted/index.js';
export { getThemeStores } from './themes/themes.js';`
		]
	],

	// what shows queries while reports are developed, and an ECharts for it
	'core-components/dist/devtools/DevTools.svelte': [[/^[\s\S]+$/, `<slot />\n`]],

	// a button within a button, and one without a name behind the list of pages
	'core-components/dist/organisms/layout/sidebar/Sidebar.svelte': [
		[
			/\t\ttransition:fade\|local=\{\{ duration: 100 \}\}\n[\s\S]*?\t\/>/,
			`		transition:fade|local={{ duration: 100 }}
		on:click={() => (mobileSidebarOpen = false)}
		aria-hidden="true"
	/>`
		],
		[
			/<span\n\t+role="button"\n\t+tabindex="-1"\n\t+on:click=[^\n]*\n\t+on:keypress=[^\n]*\n\t+>/,
			`<span>`
		]
	],

	'preprocess/dist/index.mjs': [
		// what would show the queries, which these pages never do, and an ECharts for it
		[/return `\n\s+\{#if \$\{queryId\} \}[\s\S]*?\{\/if\}\n\s+`;/, `return '';`],
		[
			`<title>{metadata.title ?? metadata.og?.title}</title>`,
			`<title>{metadata.title ?? metadata.og?.title} · dropoff</title>`
		],
		[`<title>Evidence</title>`, `<title>dropoff</title>`],
		[`<meta name="twitter:site" content="@evidence_dev" />\n`, ``]
	]
};

for (const [file, edits] of Object.entries(changes)) {
	const installed = path.join(reports, evidence, file);
	const original = path.join(reports, 'node_modules/.originals', file);
	if (!fs.existsSync(original)) {
		if (!fs.existsSync(installed)) stop(file);
		fs.mkdirSync(path.dirname(original), { recursive: true });
		fs.copyFileSync(installed, original);
	}
	let text = fs.readFileSync(original, 'utf8');
	for (const [find, put] of edits) {
		if (text.split(find).length !== 2) {
			fs.rmSync(original);
			stop(file);
		}
		text = text.replace(find, () => put);
	}
	fs.writeFileSync(installed, text);
}

for (const page of ['settings', 'explore']) {
	fs.rmSync(path.join(reports, evidence, 'evidence/template/src/pages', page), {
		recursive: true,
		force: true
	});
}

/** @param {string} file */
function stop(file) {
	console.error(
		`reports/repair/evidence.js does not know ${evidence}/${file} as installed: ` +
			`install the versions in reports/package.json or adapt the repair.`
	);
	process.exit(1);
}
