// Axes: round numbers for amounts, days for times, and room for the marks of what happened.

/** The round number of 1, 2 or 5 that is next above. @param {number} n */
const round = (n) => {
	const unit = 10 ** Math.floor(Math.log10(n));
	return unit * [1, 2, 5, 10].find((times) => times * unit >= n - 1e-12);
};

/** About four round steps that hold these amounts and zero. @param {number[]} amounts */
export function ticks(amounts, step = undefined) {
	const lowest = Math.min(0, ...amounts);
	const highest = Math.max(0, ...amounts);
	step ??= round((highest - lowest) / 4 || 0.01);
	const first = Math.floor(lowest / step + 1e-9);
	const last = Math.max(first + 1, Math.ceil(highest / step - 1e-9));
	return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

const SECONDS = [1, 2, 5, 15, 30, 60, 120, 300, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];
/** A step as people count time, for amounts in seconds. @param {number} longest */
export const secondsStep = (longest) =>
	SECONDS.find((step) => longest / step <= 4) ?? 86_400 * round(longest / 4 / 86_400);

/** Days since 1970 of a date as text, which no time zone can shift. @param {string} date */
export const dayNumber = (date) => Date.parse(`${date}T00:00:00Z`) / 86_400_000;

/** @param {number} number */
export const dayOf = (number) => new Date(number * 86_400_000).toISOString().slice(0, 10);

/** The first of these numbers of days at which at most `most` labels stand on `days` days. */
export const dayStep = (days, most) =>
	[1, 2, 7, 14, 28, 56, 91, 182, 364].find((step) => days / step <= most) ??
	364 * Math.ceil(days / 364 / most);

export const ROW = 15; // px of a label's line
const LETTER = 6.4; // px, about
const ROWS = 3;
const MOST_LETTERS = 26;

/**
 * Notes as marks of a chart that is `width` wide: days within it, each with its numbers and, where
 * there is room, the words of its first note, in lines that do not run into each other.
 * @param {{ day: string, label: string }[]} notes in the order of their days
 * @param {(day: string) => number | null} place px from the left; null where it is not in the chart
 */
export function marks(notes, place, width) {
	const days = new Map();
	notes.forEach((note, i) => {
		const x = place(note.day);
		if (x != null) days.set(note.day, [...(days.get(note.day) ?? []), { ...note, number: i + 1, x }]);
	});
	const taken = Array(ROWS).fill(-Infinity);
	return [...days.values()].map((told) => {
		const { x, label } = told[0];
		const numbers = told.map(({ number }) => number).join(', ');
		const words = label.length > MOST_LETTERS ? `${label.slice(0, MOST_LETTERS - 1)}…` : label;
		const whole = width < 480 ? numbers : `${numbers} ${words}`;
		const length = (text) => text.length * LETTER + 10;
		const isLeft = x + length(whole) > width;
		const start = isLeft ? x - length(whole) : x;
		let row = taken.findIndex((end) => end <= start);
		let text = whole;
		if (row < 0) {
			text = numbers;
			row = taken.indexOf(Math.min(...taken));
		}
		taken[row] = isLeft ? x : x + length(text);
		return { day: told[0].day, x, row, text, isLeft };
	});
}
