// What was chosen goes along from page to page, and stands in the address to be shared.
import { replaceState } from '$app/navigation';

/** @type {Record<string, string>} */
export const chosen = {};

/** The choices of an address, those named. */
export function recall(url, names) {
	for (const name of names) {
		const value = url.searchParams.get(name);
		if (value !== null) chosen[name] = value;
	}
}

/** A choice, or none: the address says so. */
export function choose(page, name, value) {
	if (value) {
		chosen[name] = value;
	} else {
		delete chosen[name];
	}
	remember(page);
}

export function remember(page) {
	const url = new URL(page.url);
	url.search = new URLSearchParams(chosen).toString();
	replaceState(url, page.state);
}

/** A value as a text in SQL. */
export const sqlText = (value) => `'${String(value).replaceAll("'", "''")}'`;
