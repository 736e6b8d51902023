import { codecSuite } from './codec/index.ts'
import { dispatchSuite, shardsSuite } from './dispatch/index.ts'
import { runSuites } from './harness/suite.ts'
import { logServiceSuite } from './logservice/index.ts'
import { runtimeSuite } from './runtime/index.ts'

process.exitCode = await runSuites(
  process.argv.slice(2),
  {
    runtime: runtimeSuite,
    codec: codecSuite,
    logservice: logServiceSuite,
    dispatch: dispatchSuite,
    shards: shardsSuite,
  },
  {
    out: (line) => void process.stdout.write(`${line}\n`),
    say: (line) => void process.stderr.write(`${line}\n`),
  },
)
