/** The process that is killed: runs the job of sls-job.ts and says on standard output what happens. */
import { isMillraceError, run } from '../../../src/entry/index.ts'
import { jsonLinesLogger, nodeClock } from '../../../src/platform/index.ts'
import { recordsRead, type SlsJobSettings, slsJob } from './sls-job.ts'

/** What the process says, one JSON object a line. */
export type SlsJobEvent =
  | { readonly event: 'begin' }
  | { readonly event: 'started'; readonly generation: number; readonly restored: number | null }
  | { readonly event: 'checkpoint'; readonly id: number; readonly records: number; readonly ambiguous: number }
  | { readonly event: 'restarting'; readonly cause: string }
  | { readonly event: 'ended'; readonly outcome: 'finished' | 'stopped'; readonly ambiguous: number }
  | { readonly event: 'failed'; readonly code: string; readonly message: string }

const say = (event: SlsJobEvent): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

const settings = JSON.parse(process.argv[2] ?? '') as SlsJobSettings
// Heard from the first moment on, so that none ends the process by itself. A stop that takes long says what for.
process.once('SIGTERM', () => setInterval(tellWaits, 9_000).unref())
say({ event: 'begin' })
const { job, sink } = slsJob(settings)
// What the harness shows when something is wrong.
const logger = jsonLinesLogger({ write: (line) => process.stderr.write(`${line}\n`), wallMs: () => nodeClock.wallMs() })
const running = run(job, { handleSignals: true, logger })
const tellWaits = (): void => {
  process.stderr.write(`${JSON.stringify(running.waitingFor().filter(({ waitingFor }) => waitingFor !== undefined))}\n`)
}
running.events$.subscribe((event) => {
  if (event.kind === 'started') {
    say({ event: 'started', generation: event.generation, restored: event.restored ?? null })
  } else if (event.kind === 'checkpoint-completed') {
    const ambiguous = sink.counts().ambiguousLogs
    say({ event: 'checkpoint', id: event.checkpointId, records: recordsRead(), ambiguous })
  } else if (event.kind === 'restarting') {
    say({ event: 'restarting', cause: event.cause.message })
  }
})
let exitCode = 0
try {
  const { outcome } = await running.done
  say({ event: 'ended', outcome, ambiguous: sink.counts().ambiguousLogs })
} catch (error) {
  const code = isMillraceError(error) ? error.code : 'UNEXPECTED'
  exitCode = isMillraceError(error) ? error.exitCode : 1
  say({ event: 'failed', code, message: error instanceof Error ? error.message : String(error) })
}
// What was said has to reach the harness first.
process.stdout.write('', () => process.exit(exitCode))
