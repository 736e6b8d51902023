/**
 * `npm start [-- FILES…]`: runs the job of job.ts on the logs of this machine, shows how it goes, and at the end compares
 * what it wrote with what it read.
 */
import { join } from 'node:path'
import { isMillraceError, type JobHandle, type JobResult, run } from 'millrace'
import { help, parseArguments, type Settings } from './arguments.ts'
import { type Display, type Failure, isRight, openDisplay } from './display.ts'
import { countAndArchive } from './job.ts'
import { Results } from './output.ts'
import { openPlan, type Plan, sourcePaths } from './plan.ts'
import { bytesOf, Progress } from './progress.ts'
import { UsageError } from './usage.ts'
import { verify } from './verify.ts'

const places = { logs: '/var/log', ownLog: join('.millrace', 'input', 'access.log') }

const main = async (display: Display): Promise<number> => {
  const settings = parseArguments(process.argv.slice(2))
  if (settings.help) {
    process.stdout.write(`${help}\n`)
    return 0
  }
  const { plan, resumed } = await openPlan(settings, places)
  display.begin(plan, settings, resumed)
  const startedMs = performance.now()
  const running = start(plan, settings)
  const forced = handleSignals(running)
  running.events$.subscribe((event) => display.happened(event))
  const result = await Promise.race([forced, watch(running, plan, display)])
  if (typeof result === 'number') return result
  display.verifying()
  const verdict = await verify({ out: plan.out, files: plan.files, finished: result.outcome === 'finished' })
  display.end({ ...verdict, event: result.outcome, seconds: (performance.now() - startedMs) / 1000 })
  return isRight(verdict) ? 0 : 1
}

const start = (plan: Plan, { state, parallelism, rate }: Settings): JobHandle =>
  run(
    countAndArchive({
      paths: sourcePaths(plan),
      mode: plan.mode,
      out: plan.out,
      checkpoints: join(state, 'checkpoints'),
      parallelism,
      rate,
    }),
  )

/** Shows the progress once a second until the job has ended. */
const watch = async (running: JobHandle, plan: Plan, display: Display): Promise<JobResult> => {
  const progress = new Progress(running, new Results(plan.out), await bytesOf(plan))
  let ended = false
  const end = (): void => {
    ended = true
    wake()
  }
  let wake = (): void => {}
  running.done.then(end, end)
  for (;;) {
    const frame = await progress.frame()
    display.show(frame)
    if (ended) return running.done
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1000)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (ended) wake()
    })
  }
}

/**
 * The first signal ends the job with a last checkpoint; what it holds goes out, so that the counts are complete. The second
 * gives up: the promise resolves to the exit code of a forced stop.
 */
const handleSignals = (running: JobHandle): Promise<number> =>
  new Promise((resolve) => {
    let heard = 0
    const handle = (exitCode: number) => (): void => {
      heard++
      if (heard === 1) running.stop({ drain: true }).catch(() => {})
      else void running.cancel().then(() => resolve(exitCode))
    }
    process.on('SIGINT', handle(130))
    process.on('SIGTERM', handle(143))
  })

const failureOf = (error: unknown): Failure => {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof UsageError || isMillraceError(error)) {
    const { code, fix, exitCode } = error
    return { code, message, fix, exitCode }
  }
  return { code: 'UNEXPECTED', message: error instanceof Error ? (error.stack ?? message) : message, exitCode: 1 }
}

// A reader that goes away, as `| head` does, must not end the job.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const display = openDisplay(process.stdout, process.stderr)
let exitCode: number
try {
  exitCode = await main(display)
} catch (error) {
  const failure = failureOf(error)
  display.failed(failure)
  exitCode = failure.exitCode
}
// What was written has to reach a pipe first.
process.stdout.write('', () => process.exit(exitCode))
