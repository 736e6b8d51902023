import { join } from 'node:path'
import { isMillraceError, type JobHandle, type JobResult, run } from 'millrace'
import { UsageError } from '../shared/usage.ts'
import { help, parseArguments, type Settings } from './arguments.ts'
import { type Display, type Failure, isRight, openDisplay, type Terminal } from './display.ts'
import { countAndArchive } from './job.ts'
import { Results } from './output.ts'
import { openPlan, type Places, type Plan, sourcePaths } from './plan.ts'
import { bytesOf, Progress } from './progress.ts'
import { verify } from './verify.ts'

/** What the program needs of its process. */
export interface ProgramOptions {
  readonly args: readonly string[]
  readonly stdout: Terminal
  readonly stderr: Terminal
  readonly onSignal: (signal: 'SIGINT' | 'SIGTERM', hear: () => void) => void
  readonly places: Places
}

/** The whole program; gives its exit code. */
export const program = async (options: ProgramOptions): Promise<number> => {
  const display = openDisplay(options.stdout, options.stderr)
  try {
    return await runAndVerify(options, display)
  } catch (error) {
    const failure = failureOf(error)
    display.failed(failure)
    return failure.exitCode
  }
}

const runAndVerify = async ({ args, stdout, onSignal, places }: ProgramOptions, display: Display): Promise<number> => {
  const settings = parseArguments(args)
  if (settings.help) {
    stdout.write(`${help}\n`)
    return 0
  }
  const { plan, resumed } = await openPlan(settings, places)
  display.begin(plan, settings, resumed)
  const startedMs = performance.now()
  const running = start(plan, settings)
  const forced = handleSignals(running, onSignal)
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

/** Shows the progress once a second, and once more when the job has ended. */
const watch = async (running: JobHandle, plan: Plan, display: Display): Promise<JobResult> => {
  const progress = new Progress(running, new Results(plan.out), await bytesOf(plan))
  let ended = false
  let wake = (): void => {}
  const end = (): void => {
    ended = true
    wake()
  }
  running.done.then(end, end)
  for (;;) {
    const last = ended
    display.show(await progress.frame())
    if (last) return running.done
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ended ? 0 : 1000)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/**
 * The first signal ends the job with a last checkpoint; what it holds goes out, so that the counts are complete. The second
 * gives up: the promise resolves to the exit code of a forced stop.
 */
const handleSignals = (running: JobHandle, onSignal: ProgramOptions['onSignal']): Promise<number> =>
  new Promise((resolve) => {
    let heard = 0
    const hear = (exitCode: number): void => {
      heard++
      if (heard === 1) running.stop({ drain: true }).catch(() => {})
      else void running.cancel().then(() => resolve(exitCode))
    }
    onSignal('SIGINT', () => hear(130))
    onSignal('SIGTERM', () => hear(143))
  })

const failureOf = (error: unknown): Failure => {
  if (error instanceof UsageError || isMillraceError(error)) {
    const { code, message, fix, exitCode } = error
    return { code, message, fix, exitCode }
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'UNEXPECTED', message, exitCode: 1 }
}
