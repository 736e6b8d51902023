import { type ChildProcess, fork } from 'node:child_process'
import { type BatchRequest, type BatchResult, runBatch } from './batch.ts'
import { replay } from './corpus.ts'
import type { Reproduction } from './reproduction.ts'
import { runSweepPart, type SweepRequest, type SweepResult } from './sweep.ts'

/** What a child process is asked for. The simulator's traps for global time are process-wide: one world per process. */
export type Task =
  | { readonly kind: 'batch'; readonly request: BatchRequest }
  | { readonly kind: 'sweep'; readonly request: SweepRequest }
  | { readonly kind: 'replay'; readonly request: Reproduction }

export type Answer =
  | { readonly kind: 'batch'; readonly result: BatchResult }
  | { readonly kind: 'sweep'; readonly result: SweepResult }
  | { readonly kind: 'replay'; readonly violation: string | undefined }
  | { readonly kind: 'broken'; readonly message: string }

export const childFlag = '--child'

const answerTo = async (task: Task): Promise<Answer> => {
  try {
    if (task.kind === 'batch') return { kind: 'batch', result: await runBatch(task.request) }
    if (task.kind === 'replay') return { kind: 'replay', violation: await replay(task.request) }
    return { kind: 'sweep', result: await runSweepPart(task.request) }
  } catch (thrown) {
    return { kind: 'broken', message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }
  }
}

/** The child's side: answers tasks until the parent goes away. */
export const serve = (): void => {
  process.on('message', (task) => {
    void answerTo(task as Task).then((answer) => process.send?.(answer))
  })
}

/** A child that runs `program`, which must call `serve` when its first argument is the child's flag. */
export class Worker {
  readonly #child: ChildProcess
  #gone: Error | undefined

  constructor(program: string) {
    this.#child = fork(program, [childFlag], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.once('exit', (code, signal) => {
      this.#gone = new Error(`a child of the simulation ended with ${signal ?? code}`)
    })
  }

  async ask(task: Task): Promise<Answer> {
    if (this.#gone !== undefined) throw this.#gone
    return await new Promise<Answer>((resolve, reject) => {
      const onExit = (): void => reject(this.#gone ?? new Error('a child of the simulation ended'))
      this.#child.once('exit', onExit)
      this.#child.once('message', (answer) => {
        this.#child.off('exit', onExit)
        resolve(answer as Answer)
      })
      this.#child.send(task)
    })
  }

  close(): void {
    this.#child.kill()
  }
}

/** Deals tasks over `jobs` children; the answers come as they are ready, until `take` says that it is enough. */
export const dealTasks = async (
  program: string,
  jobs: number,
  tasks: Iterator<Task>,
  take: (answer: Answer) => 'more' | 'enough',
): Promise<void> => {
  let over = false
  const lane = async (): Promise<void> => {
    const worker = new Worker(program)
    try {
      for (let next = tasks.next(); !next.done && !over; next = tasks.next()) {
        if (take(await worker.ask(next.value)) === 'enough') over = true
      }
    } finally {
      worker.close()
    }
  }
  await Promise.all(Array.from({ length: jobs }, lane))
}
