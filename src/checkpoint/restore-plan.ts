import { keyGroupRange, nearestName, RestoreError } from '../core/index.ts'
import type { CheckpointManifest, CheckpointPart, OperatorState } from './checkpoint-store.ts'

/** An operator with state, as the job has it now. */
export interface RestorableOperator {
  readonly uid: string
  readonly kind: OperatorState['kind']
  readonly parallelism: number
}

export interface RestorePlanOptions {
  /** Fixed for the life of the state: the key group of every key depends on it. */
  readonly maxParallelism: number
  /** Old operator name → its name now. */
  readonly renameState: Readonly<Record<string, string>>
  /** Operators of the checkpoint whose state is given up. */
  readonly dropState: readonly string[]
}

/** What one subtask of now takes out of a checkpoint. */
export interface SubtaskParts {
  /** Keyed parts with key groups of this subtask. They may hold others as well: the reader skips those. */
  readonly keyed: readonly CheckpointPart[]
  /**
   * List state, ordered by old subtask. With an unchanged parallelism it is this subtask's own; with `redistribute` it is
   * all there is, and the entries inside are dealt round-robin over the subtasks.
   */
  readonly list: readonly CheckpointPart[]
}

/** An operator of now and its state in the checkpoint. */
export interface RestoredOperator {
  /** The name the state has in the checkpoint. */
  readonly storedAs: string
  /** The parallelism the state was written with. */
  readonly parallelism: number
  readonly parts: readonly CheckpointPart[]
  /** The parallelism has changed: entries of list state go to other subtasks. */
  readonly redistribute: boolean
  /** Parts that exist once per operator. */
  readonly shared: readonly CheckpointPart[]
  /** By subtask of now. */
  readonly subtasks: readonly SubtaskParts[]
}

export interface RestorePlan {
  /** By the name of now. Operators that start empty are not in it. */
  readonly operators: ReadonlyMap<string, RestoredOperator>
  /** Operators that start empty, for the log. */
  readonly fresh: readonly string[]
  /** State that is given up, for the log. */
  readonly dropped: readonly string[]
  /**
   * Renamings and drops that found nothing to do, each as a sentence for the log. Not refused: after the first checkpoint
   * of the new job a restart with the same options finds the old names gone.
   */
  readonly unused: readonly string[]
}

const text = (name: string): string => `'${name}'`

/**
 * Works out who gets which part of a checkpoint (flink-semantics paper, section D9).
 *
 * @throws RestoreError `CHECKPOINT_MISMATCH` naming everything that does not fit, each with what to do.
 */
export const planRestore = (
  manifest: CheckpointManifest,
  operators: readonly RestorableOperator[],
  options: RestorePlanOptions,
): RestorePlan => {
  const matching = new Matching(manifest, operators, options)
  const problems = matching.problems()
  if (problems.length > 0) throw mismatch(manifest, [...problems, ...matching.unused()])
  const restored = new Map<string, RestoredOperator>()
  for (const { uid, parallelism } of operators) {
    const state = matching.stateOf(uid)
    if (state !== undefined) restored.set(uid, restoredOperator(state, parallelism, manifest.maxParallelism))
  }
  return {
    operators: restored,
    fresh: operators.map(({ uid }) => uid).filter((uid) => !restored.has(uid)),
    dropped: matching.dropped(),
    unused: matching.unused(),
  }
}

/** The names of the checkpoint against those of the job. */
class Matching {
  readonly #manifest: CheckpointManifest
  readonly #operators: ReadonlyMap<string, RestorableOperator>
  readonly #options: RestorePlanOptions
  /** State that counts: an operator without parts has lost nothing when nobody claims it. */
  readonly #states: readonly OperatorState[]
  readonly #drop: ReadonlySet<string>

  constructor(manifest: CheckpointManifest, operators: readonly RestorableOperator[], options: RestorePlanOptions) {
    this.#manifest = manifest
    this.#operators = new Map(operators.map((operator) => [operator.uid, operator]))
    this.#options = options
    this.#states = manifest.operators.filter(({ parts }) => parts.length > 0)
    this.#drop = new Set(options.dropState)
  }

  stateOf(uid: string): OperatorState | undefined {
    return this.#kept().find((state) => this.#nameNow(state.uid) === uid)
  }

  dropped(): string[] {
    return this.#states.map(({ uid }) => uid).filter((uid) => this.#drop.has(uid))
  }

  problems(): string[] {
    const { maxParallelism } = this.#options
    const problems: string[] = []
    if (this.#manifest.maxParallelism !== maxParallelism) {
      problems.push(
        `maxParallelism is ${maxParallelism} now and ${this.#manifest.maxParallelism} in the checkpoint; it is fixed for ` +
          `the life of the state: set maxParallelism: ${this.#manifest.maxParallelism}`,
      )
    }
    const claimed = new Map<string, string>()
    for (const state of this.#kept()) {
      const now = this.#nameNow(state.uid)
      const first = claimed.get(now)
      if (first !== undefined) {
        problems.push(
          `${text(first)} and ${text(state.uid)} would both become ${text(now)}: dropState: [${text(first)}]`,
        )
      }
      claimed.set(now, state.uid)
      const problem = this.#claimProblem(state, now)
      if (problem !== undefined) problems.push(problem)
    }
    return problems
  }

  unused(): string[] {
    const stored = this.#states.map(({ uid }) => uid)
    const because = (name: string): string => {
      const meant = nearestName(name, stored)
      return `${text(name)} has no state in the checkpoint${meant === undefined ? '' : `; did you mean ${text(meant)}?`}`
    }
    const absent = (name: string): boolean => !stored.includes(name)
    return [
      ...Object.keys(this.#options.renameState)
        .filter(absent)
        .map((old) => `renameState: ${because(old)}`),
      ...[...this.#drop].filter(absent).map((name) => `dropState: ${because(name)}`),
    ]
  }

  #kept(): OperatorState[] {
    return this.#states.filter(({ uid }) => !this.#drop.has(uid))
  }

  #nameNow(uid: string): string {
    const { renameState } = this.#options
    return Object.hasOwn(renameState, uid) ? (renameState[uid] ?? uid) : uid
  }

  #claimProblem(state: OperatorState, now: string): string | undefined {
    const operator = this.#operators.get(now)
    const drop = `dropState: [${text(state.uid)}]`
    if (operator === undefined) {
      const meant = this.#suggestion(state, now)
      const rename = `renameState: { ${text(state.uid)}: ${text(meant ?? 'its name now')} }`
      return now === state.uid
        ? `the job has no operator ${text(now)} for the ${state.kind} state in the checkpoint: ${rename} or ${drop}`
        : `renameState maps ${text(state.uid)} to ${text(now)}, and the job has no such operator: ${rename} or ${drop}`
    }
    if (operator.kind === state.kind) return undefined
    return `${text(now)} is a ${operator.kind} step now and was a ${state.kind} step in the checkpoint: ${drop}, or give the step another name`
  }

  /** An operator that could be the one meant: of the same kind and without state of its own; the nearest name first. */
  #suggestion(state: OperatorState, now: string): string | undefined {
    const stored = new Set(this.#kept().map(({ uid }) => this.#nameNow(uid)))
    const free = [...this.#operators.values()].filter(({ uid, kind }) => kind === state.kind && !stored.has(uid))
    const names = free.map(({ uid }) => uid)
    return nearestName(now, names) ?? (names.length === 1 ? names[0] : undefined)
  }
}

const mismatch = (manifest: CheckpointManifest, problems: readonly string[]): RestoreError =>
  new RestoreError('CHECKPOINT_MISMATCH', {
    message: `the state does not fit the job:${problems.map((problem) => `\n  - ${problem}`).join('')}`,
    place: { job: manifest.job, checkpointId: manifest.checkpointId },
    fix: 'change the job or the options as each line says',
  })

const restoredOperator = (state: OperatorState, parallelism: number, maxParallelism: number): RestoredOperator => {
  const { parts } = state
  const redistribute = state.parallelism !== parallelism
  const keyed = parts.filter(({ kind }) => kind === 'keyed')
  const list = parts
    .filter(({ kind, subtask }) => kind !== 'keyed' && subtask !== undefined)
    .sort((a, b) => (a.subtask ?? 0) - (b.subtask ?? 0))
  const intersects = (part: CheckpointPart, subtask: number): boolean => {
    if (part.subtask === undefined) return true
    const old = keyGroupRange(part.subtask, maxParallelism, state.parallelism)
    const now = keyGroupRange(subtask, maxParallelism, parallelism)
    return old.first <= now.last && now.first <= old.last
  }
  return {
    storedAs: state.uid,
    parallelism: state.parallelism,
    parts,
    redistribute,
    shared: parts.filter(({ kind, subtask }) => kind !== 'keyed' && subtask === undefined),
    subtasks: Array.from({ length: parallelism }, (_, subtask) => ({
      keyed: keyed.filter((part) => intersects(part, subtask)),
      list: redistribute ? list : list.filter((part) => part.subtask === subtask),
    })),
  }
}
