/**
 * Where a part of the page is wider than its place, the keyboard reaches it and scrolls it.
 * @param {HTMLElement} part
 */
export function scrolls(part) {
	const look = () => {
		const isWider = part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight;
		part.tabIndex = isWider ? 0 : -1;
	};
	const observer = new ResizeObserver(look);
	observer.observe(part);
	for (const child of part.children) observer.observe(child);
	return { destroy: () => observer.disconnect() };
}
