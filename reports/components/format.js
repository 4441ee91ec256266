// How numbers are written, once. A rate over nothing is null and reads –.
export const NOTHING = '–';

/** @param {number | null | undefined} n */
export const count = (n) => (n == null ? NOTHING : Math.round(n).toLocaleString('en-US'));

/** @param {number | null | undefined} n */
export const decimal = (n) => (n == null ? NOTHING : n.toFixed(1));

/** Scores that differ late. @param {number | null | undefined} n */
export const precise = (n) => (n == null ? NOTHING : n.toFixed(3));

/**
 * A share, 0 to 1. What is not none never reads 0.0%, and what is not all never reads 100%.
 * @param {number | null | undefined} share
 */
export function percent(share) {
	if (share == null || !Number.isFinite(share)) return NOTHING;
	if (share === 0 || share === 1) return `${100 * share}%`;
	if (share > 0 && share < 0.0005) return '<0.1%';
	if (share < 1 && share >= 0.9995) return '>99.9%';
	return `${(100 * share).toFixed(1)}%`;
}

const UNITS = [
	['s', 1, 120],
	['min', 60, 120 * 60],
	['h', 3600, 48 * 3600],
	['days', 86400, Infinity]
];

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
	if (seconds == null || !Number.isFinite(seconds)) return NOTHING;
	const [unit, size] = UNITS.find(([, , below]) => seconds < below);
	const amount = seconds / size;
	return `${Number.isInteger(amount) ? amount : amount.toFixed(1)} ${unit}`;
}

/** How long ago, in whole units. @param {number | null | undefined} seconds */
export function ago(seconds) {
	if (seconds == null || !Number.isFinite(seconds)) return NOTHING;
	const [unit, size] = UNITS.find(([, , below]) => seconds < below);
	return `${Math.floor(seconds / size)} ${unit} ago`;
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/**
 * A date as text, which no time zone of the reader's can shift.
 * @param {string | null | undefined} date `2026-01-12`
 */
export function day(date) {
	if (!date) return NOTHING;
	const [year, month, number] = date.split('-').map(Number);
	return `${number} ${MONTHS[month - 1]} ${year}`;
}

/**
 * A run of days as people write it: 13–17 Jan 2026, 30 Jan – 2 Feb 2026.
 * @param {string} first @param {string} last
 */
export function days(first, last) {
	if (first === last) return day(first);
	const [from, to] = [day(first).split(' '), day(last).split(' ')];
	if (from[2] !== to[2]) return `${day(first)} – ${day(last)}`;
	if (from[1] !== to[1]) return `${from[0]} ${from[1]} – ${day(last)}`;
	return `${from[0]}–${day(last)}`;
}

const NAMES = {
	'(all)': 'All starters',
	'(unmarked)': 'Unmarked',
	'(unknown)': 'Unknown',
	'(start)': 'Start of the session',
	'(none)': 'No starter or step',
	'(other)': 'Other events',
	'(dropped)': 'Dropped',
	'(converted)': 'Converted',
	'(open)': 'Still open',
	'(longer)': 'Further steps'
};

/** What a person reads for a starter or a platform. @param {string | null | undefined} name */
export const naming = (name) => NAMES[name] ?? name ?? NOTHING;

/** A threshold as people set it: 75%, 7.5%. @param {number | null | undefined} share */
export const threshold = (share) => (share == null ? NOTHING : `${+(100 * share).toFixed(2)}%`);

/** A difference with its sign. @param {(n: number) => string} write */
export const signed = (write, n) =>
	n == null ? NOTHING : n === 0 ? write(0) : `${n > 0 ? '+' : '−'}${write(Math.abs(n))}`;

/** A whole number more or less. @param {number | null | undefined} n */
export const change = (n) => signed(count, n == null ? n : Math.round(n));

/** A difference of two shares. @param {number | null | undefined} share */
export const points = (share) => signed((part) => `${(100 * part).toFixed(1)} pts`, share);

export const formats = { count, decimal, precise, percent, duration, day, naming, points, threshold };
