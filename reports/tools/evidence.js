// Runs one step of Evidence (sources, build or dev) with what it needs in its environment: the
// warehouse as a path seen from the source folder, and no usage statistics. After a build the files
// of the site are compressed once, so that a page is a sixth of its size on the line.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { fileURLToPath } from 'node:url';

const reports = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const step = process.argv[2];
const options = { sources: ['--strict'], build: [], dev: ['--open', 'false'] }[step];
if (!options) stop(`Name a step: sources, build or dev, not ${step}.`);

// A relative path is meant from the repository's root, where make runs.
const named = process.env.DROPOFF_WAREHOUSE || 'warehouse.duckdb';
const warehouse = path.resolve(reports, '..', named);
if (step === 'sources' && !fs.existsSync(warehouse)) {
	stop(`There is no warehouse at ${named}: run make build first.`);
}

const manifest = path.join(reports, '.evidence/template/static/data/manifest.json');
if (step !== 'sources' && !fs.existsSync(manifest)) {
	stop('The pages have no data yet: run npm run sources first.');
}

// What an earlier run left would be published too.
if (step === 'sources') {
	for (const left of ['.evidence/template/static/data', '.evidence/meta']) {
		fs.rmSync(path.join(reports, left), { recursive: true, force: true });
	}
}
if (step === 'build') fs.rmSync(path.join(reports, 'build'), { recursive: true, force: true });

const done = spawnSync('npx', ['evidence', step === 'build' ? 'build:strict' : step, ...options], {
	cwd: reports,
	stdio: 'inherit',
	env: {
		...process.env,
		SEND_ANONYMOUS_USAGE_STATS: 'no',
		EVIDENCE_SOURCE__dropoff__filename: path.relative(
			path.join(reports, 'sources', 'dropoff'),
			warehouse
		)
	}
});
if (done.status !== 0) process.exit(done.status ?? 1);

if (step === 'build') {
	const site = path.join(reports, 'build');
	const compressible = /\.(html|js|css|json|svg|wasm|arrow|webmanifest|ttf)$/;
	for (const entry of fs.readdirSync(site, { recursive: true, withFileTypes: true })) {
		const file = path.join(entry.parentPath, entry.name);
		if (!entry.isFile() || !compressible.test(entry.name) || fs.statSync(file).size < 1024) continue;
		const quality = { [zlib.constants.BROTLI_PARAM_QUALITY]: 6 };
		fs.writeFileSync(`${file}.br`, zlib.brotliCompressSync(fs.readFileSync(file), { params: quality }));
	}
}

/** @param {string} sentence */
function stop(sentence) {
	console.error(sentence);
	process.exit(1);
}
