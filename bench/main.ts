import { runSuites } from './harness/suite.ts'
import { runtimeSuite } from './runtime/index.ts'

process.exitCode = await runSuites(
  process.argv.slice(2),
  { runtime: runtimeSuite },
  {
    out: (line) => void process.stdout.write(`${line}\n`),
    say: (line) => void process.stderr.write(`${line}\n`),
  },
)
