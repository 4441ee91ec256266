// Tables as files. Figures are whole, not rounded as on the page, and a share is 0 to 1.
import { naming } from './format.js';

/** @typedef {{ value: string, title: string, fmt?: string }} Column */

/** RFC 4180. A text that a spreadsheet would run as a formula is quoted. @param {unknown} value */
function field(value) {
	if (value == null) return '';
	if (typeof value !== 'string') return String(value);
	const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
	return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {Record<string, unknown>[]} rows @param {Column[]} columns */
export function csv(rows, columns) {
	const cell = ({ value, fmt }, row) => field(fmt === 'naming' ? naming(row[value]) : row[value]);
	return [
		columns.map(({ title }) => field(title)),
		...rows.map((row) => columns.map((column) => cell(column, row)))
	]
		.map((line) => `${line.join(',')}\r\n`)
		.join('');
}

/** Gives the reader a file. @param {string} name @param {string} text */
export function save(name, text) {
	// with its byte order mark, or spreadsheets take it for another encoding
	const url = URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' }));
	const link = document.createElement('a');
	link.href = url;
	link.download = `${name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-')}.csv`;
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 1000);
}
