// What was chosen goes along from page to page, and stands in the address to be shared.
import { onDestroy, onMount } from 'svelte';
import { get } from 'svelte/store';
import { afterNavigate, replaceState } from '$app/navigation';
import { page } from '$app/stores';

/** @type {Record<string, string>} */
export const chosen = {};

/** Of the names that the page shown offers, how many fields offer each. @type {Map<string, number>} */
const offered = new Map();

/**
 * Of a component that offers choices by these names: takes those that the address says, and has the
 * address say those that were made on another page. An address that says any of them says all.
 * @param {string[]} names @param {() => void} show what to do once they are known
 */
export function offer(names, show) {
	function take() {
		const said = get(page).url.searchParams;
		if (names.some((name) => said.has(name))) {
			for (const name of names) {
				if (said.has(name)) chosen[name] = said.get(name);
				else delete chosen[name];
			}
		}
		remember();
		show();
	}
	onMount(() => {
		for (const name of names) offered.set(name, (offered.get(name) ?? 0) + 1);
		take();
	});
	onDestroy(() => {
		for (const name of names) offered.set(name, (offered.get(name) ?? 1) - 1);
	});
	// a link to the same page
	afterNavigate(({ type }) => {
		if (type !== 'enter') take();
	});
}

/** Choices, or none of a name: the address says so. @param {Record<string, string>} choices */
export function choose(choices) {
	for (const [name, value] of Object.entries(choices)) {
		if (value) chosen[name] = value;
		else delete chosen[name];
	}
	remember();
}

function remember() {
	const { url, state } = get(page);
	const address = new URL(url);
	address.search = location.search;
	const said = address.searchParams;
	const names = [...offered.keys()].filter((name) => offered.get(name) > 0);
	if (names.every((name) => said.get(name) === (chosen[name] ?? null))) return;
	for (const name of names) {
		if (chosen[name]) said.set(name, chosen[name]);
		else said.delete(name);
	}
	replaceState(address, state);
}

/** A value as a text in SQL. */
export const sqlText = (value) => `'${String(value).replaceAll("'", "''")}'`;
