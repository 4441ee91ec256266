// Before the first paint: the reader's choice of light or dark (else that of their system), and
// whether they have seen the note for newcomers. A file of its own, so that the content security
// policy needs no exception.
(function () {
	var page = document.documentElement;
	function kept(name) {
		try {
			return localStorage.getItem(name);
		} catch (error) {
			return null; // storage may be forbidden
		}
	}
	var chosen = kept('evidence-theme');
	var isDark =
		chosen === 'dark' ||
		(chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
	page.setAttribute('data-theme', isDark ? 'dark' : 'light');
	if (kept('dropoff-welcomed')) page.setAttribute('data-welcomed', '');
})();
