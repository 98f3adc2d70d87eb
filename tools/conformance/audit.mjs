// Runs the audits of the package graphql-http against the URL given, prints the counts and each
// audit that failed, and exits with 1 unless every MUST and SHOULD passed.
import { serverAudits } from 'graphql-http';

const LEVELS = ['MUST', 'SHOULD', 'MAY'];
const REQUIRED = ['MUST', 'SHOULD'];

const counts = Object.fromEntries(LEVELS.map((level) => [level, { passed: 0, of: 0 }]));
let failed = false;

for (const audit of serverAudits({ url: process.argv[2], fetchFn: fetch })) {
  const level = LEVELS.find((name) => audit.name.startsWith(name));
  if (!level) throw new Error(`An audit of no known level: ${audit.name}`);
  const result = await audit.fn();
  counts[level].of += 1;
  if (result.status === 'ok') {
    counts[level].passed += 1;
    continue;
  }
  failed ||= REQUIRED.includes(level);
  console.log(`${audit.id} ${audit.name}: ${result.reason}`);
}

for (const level of LEVELS) console.log(`${level} ${counts[level].passed}/${counts[level].of}`);
const empty = REQUIRED.some((level) => counts[level].of === 0);
process.exitCode = failed || empty ? 1 : 0;
