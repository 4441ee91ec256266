// Evidence reads parquet with DuckDB's parquet extension, which duckdb-wasm does not hold but
// downloads. These reports ask nothing of another host, so after every install this step changes
// a few places in the installed Evidence. In universal-sql:
//   - extensions are never fetched by themselves;
//   - parquet is decoded by parquet-wasm, which Evidence depends on already, and handed to DuckDB
//     as Arrow, in the browser when a query first names the table;
//   - a source without rows keeps its columns, and a column of nulls keeps its type;
//   - a slow line is waited for: five seconds are not enough for the 34 MB of DuckDB.
// In the page template and the page head: no logo, name or account of Evidence's own, and no inline
// script, so that the content security policy needs no exception.
// Each change replaces a text that stands exactly once in the file as installed (kept beside it as
// *.original, so that the step can be repeated). Where it does not, the file is not of the version
// this was written for, and the step says so and stops.
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
import { readFileSync } from 'fs';
import { readParquet } from 'parquet-wasm/node/arrow1.js';`
		],
		[SETTINGS_AFTER, NO_EXTENSIONS],
		[
			`			db.registerFileURL(
				file_name,
				url.split(pathDelimiterRegex).join(path.sep),
				DuckDBDataProtocol.NODE_FS,
				false
			);
			connection.query(
				\`CREATE OR REPLACE VIEW "\${source}"."\${table}" AS (SELECT * FROM read_parquet('\${file_name}'));\`
			);`,
			`			connection.query(\`DROP TABLE IF EXISTS "\${source}"."\${table}";\`);
			connection.insertArrowFromIPCStream(
				readParquet(readFileSync(url.split(pathDelimiterRegex).join(path.sep))).intoIPCStream(),
				{ schema: source, name: table, create: true }
			);`
		]
	],

	'universal-sql/src/client-duckdb/browser.js': [
		[
			`let initializing = false;`,
			`let initializing = false;

/**
 * Tables by the url of their parquet file, each loaded when a query first names it.
 * @type {Map<string, { source: string, url: string, loaded?: Promise<void> }>}
 */
const tables = new Map();
/** @type {Promise<typeof import('parquet-wasm/esm/arrow1.js')> | undefined} */
let parquet;

/** @param {string} sql */
async function loadTablesNamedIn(sql) {
	const words = new Set(sql.match(/\\w+/g));
	await Promise.all([...tables].filter(([table]) => words.has(table)).map(([table]) => loadTable(table)));
}

/** @param {string} table */
function loadTable(table) {
	const entry = tables.get(table);
	entry.loaded ??= (async () => {
		parquet ??= Promise.all([
			import('parquet-wasm/esm/arrow1.js'),
			import('parquet-wasm/esm/arrow1_bg.wasm?url')
		]).then(async ([module, wasm]) => {
			await module.default(wasm.default);
			return module;
		});
		const [{ readParquet }, response] = await Promise.all([parquet, fetch(entry.url)]);
		if (!response.ok) throw new Error(\`The data of \${table} is not there (\${response.status})\`);
		const file = new Uint8Array(await response.arrayBuffer());
		await connection.query(\`DROP TABLE IF EXISTS "\${entry.source}"."\${table}";\`);
		await connection.insertArrowFromIPCStream(readParquet(file).intoIPCStream(), {
			schema: entry.source,
			name: table,
			create: true
		});
	})();
	return entry.loaded;
}`
		],
		[SETTINGS_AFTER, NO_EXTENSIONS],
		[
			`				await db.registerFileURL(file_name, addBasePath(path), DuckDBDataProtocol.HTTP, false);
				await connection.query(
					\`CREATE OR REPLACE VIEW "\${source}"."\${table}" AS (SELECT * FROM read_parquet('\${file_name}'));\`
				);`,
			`				tables.set(table, { source, url: addBasePath(path) });`
		],
		[
			`	await withTimeout(tablesPromise);

	// Now`,
			`	await withTimeout(tablesPromise);
	await loadTablesNamedIn(sql);

	// Now`
		]
	],

	'universal-sql/src/build-parquet.js': [
		[
			`	tableFromArrays,
	tableToIPC,`,
			`	tableFromArrays,
	tableFromIPC,
	tableToIPC,`
		],
		[
			`	Compression,
	writeParquet,`,
			`	Compression,
	readParquet,
	writeParquet,`
		],
		[
			`			if (!rawValues.some((v) => v !== null)) {
				// All null date columns`,
			`			if (false) {
				// All null date columns`
		],
		[
			`			if (!rawValues.some((v) => v !== null)) {
				// All null bool columns`,
			`			if (false) {
				// All null bool columns`
		],
		[
			`	if (currentBatch.length) await flush(currentBatch);`,
			`	if (currentBatch.length || batchNum === 0) await flush(currentBatch);`
		],
		[
			`	await initDB();

	const outputFilepath`,
			`	const outputFilepath`
		],
		[
			`	const parquetFiles = tmpFilenames.map((filename) => \`'\${filename.replaceAll('\\\\', '/')}'\`);

	const select = \`SELECT * FROM read_parquet([\${parquetFiles.join(',')}])\`;
	const copy = \`COPY (\${select}) TO '\${outputFilepath}' (FORMAT 'PARQUET', CODEC 'ZSTD', USE_TMP_FILE false);\`;

	await fs.mkdir(path.dirname(outputFilepath), { recursive: true });
	await query(copy);
`,
			`	await fs.mkdir(path.dirname(outputFilepath), { recursive: true });
	if (tmpFilenames.length === 1) {
		await fs.copyFile(tmpFilenames[0], outputFilepath);
	} else {
		const batches = [];
		for (const filename of tmpFilenames) {
			batches.push(tableFromIPC(readParquet(await fs.readFile(filename)).intoIPCStream()));
		}
		const merged = tableToIPC(batches[0].concat(...batches.slice(1)), 'stream');
		const properties = new WriterPropertiesBuilder().setCompression(Compression.ZSTD).build();
		await fs.writeFile(outputFilepath, writeParquet(Table.fromIPCStream(merged), properties));
	}
`
		],
		[
			`	await emptyDbFs('*');

	fn_done();`,
			`	fn_done();`
		],
		[`import { emptyDbFs, initDB, query } from './client-duckdb/node.js';\n`, ``]
	],

	'evidence/template/src/app.html': [
		[`<html lang="en">`, `<html lang="en" data-theme="light">`],
		[/\t\t<script>\n\t\t\ttry \{[\s\S]*?<\/script>\n/, ``],
		[/\t\t<script>\n\t\t\t\/\*loading\*\/\n\t\t<\/script>\n/, ``],
		[/\n\t\t\t<!-- SplashScreen -->[\s\S]*<\/svg>\n\t\t\t<\/div>\n/, ``],
		[/\n<style>[\s\S]*<\/style>\n/, ``]
	],

	'preprocess/src/frontmatter/handle-og.cjs': [
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
	const original = `${installed}.original`;
	if (!fs.existsSync(original)) {
		if (!fs.existsSync(installed)) stop(file);
		fs.copyFileSync(installed, original);
	}
	let text = fs.readFileSync(original, 'utf8');
	for (const [find, put] of edits) {
		const [found, again] = find instanceof RegExp ? [find.test(text)] : [text.includes(find), text.split(find).length > 2];
		if (!found || again) {
			fs.rmSync(original);
			stop(file);
		}
		text = text.replace(find, () => put);
	}
	fs.writeFileSync(installed, text);
}

/** @param {string} file */
function stop(file) {
	console.error(
		`reports/repair/evidence.js does not know ${evidence}/${file} as installed: ` +
			`install the versions in reports/package.json or adapt the repair.`
	);
	process.exit(1);
}
