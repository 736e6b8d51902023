/** The process that is killed: runs the job of crash-job.ts and says on standard output what happens. */
import { readdirSync } from 'node:fs'
import { isMillraceError, run } from '../../src/entry/index.ts'
import { type CrashJobSettings, crashJob } from './crash-job.ts'

/** What the process says, one JSON object a line. */
export type ChildEvent =
  | { readonly event: 'begin' }
  | { readonly event: 'started'; readonly generation: number; readonly restored: number | null }
  | { readonly event: 'checkpoint'; readonly id: number; readonly handles: number; readonly rssBytes: number }
  | { readonly event: 'restarting'; readonly cause: string }
  | { readonly event: 'ended'; readonly outcome: 'finished' | 'stopped' }
  | { readonly event: 'failed'; readonly code: string; readonly message: string }

const say = (event: ChildEvent): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

const openHandles = (): number => {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}

const settings = JSON.parse(process.argv[2] ?? '') as CrashJobSettings
let signals = 0
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => signals++)

say({ event: 'begin' })
const running = run(crashJob(settings), { handleSignals: true })
running.events$.subscribe((event) => {
  if (event.kind === 'started') {
    say({ event: 'started', generation: event.generation, restored: event.restored ?? null })
  } else if (event.kind === 'checkpoint-completed') {
    const rssBytes = process.memoryUsage.rss()
    say({ event: 'checkpoint', id: event.checkpointId, handles: openHandles(), rssBytes })
  } else if (event.kind === 'restarting') {
    say({ event: 'restarting', cause: event.cause.message })
  }
})
let exitCode = 0
try {
  const { outcome } = await running.done
  say({ event: 'ended', outcome })
} catch (error) {
  const code = isMillraceError(error) ? error.code : 'UNEXPECTED'
  exitCode = isMillraceError(error) ? error.exitCode : 1
  if (code === 'JOB_CANCELLED' && signals > 1) exitCode = 143
  say({ event: 'failed', code, message: error instanceof Error ? error.message : String(error) })
}
// What was said has to reach the harness first.
process.stdout.write('', () => process.exit(exitCode))
