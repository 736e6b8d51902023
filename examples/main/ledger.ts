import { readWhole, WholeFile } from '../shared/whole-file.ts'

interface Entries {
  /** Restarts of the job, with and without the process. */
  readonly restarts: number
  /** What all restarts but the last can have written again. */
  readonly settled: number
  /** At the last restart: lines that the job might write again, and logs there were in the targets. */
  readonly open: { readonly uncovered: number; readonly written: number } | undefined
  /** LogGroups sent again because an answer was lost. */
  readonly ambiguous: number
}

/** How the targets and the checkpoint stand to each other when the job goes on from it. */
export interface Standing {
  /** Whether the job waits for this look, or may have begun to write again. */
  readonly job: 'stands' | 'goes on'
  /** Logs in the targets, copies included. */
  readonly written: number
  /** Copies among them, beyond the first of each line. */
  readonly copies: number
  /** Lines the checkpoint has seen through: they are not written again. */
  readonly covered: number
}

/**
 * How many copies the at-least-once sink may have written so far. After each restart it writes again at most what the
 * targets held beyond the checkpoint; kept in a file, since the restarts of killed processes count too.
 */
export class Ledger {
  readonly #file: WholeFile
  #entries: Entries
  /** Those of the processes before this one. */
  readonly #ambiguousBefore: number

  private constructor(path: string, entries: Entries) {
    this.#file = new WholeFile(path)
    this.#entries = entries
    this.#ambiguousBefore = entries.ambiguous
  }

  static async open(path: string): Promise<Ledger> {
    const none: Entries = { restarts: 0, settled: 0, open: undefined, ambiguous: 0 }
    return new Ledger(path, (await readWhole<Entries>(path)) ?? none)
  }

  get restarts(): number {
    return this.#entries.restarts
  }

  /** Copies there may be. @param groupLogs logs of a LogGroup at most */
  bound(groupLogs: number): number {
    const { settled, open, ambiguous } = this.#entries
    return settled + (open?.uncovered ?? 0) + ambiguous * groupLogs
  }

  /** When the job goes on from a checkpoint. */
  async restarted({ job, written, copies, covered }: Standing): Promise<void> {
    const { restarts, settled, open, ambiguous } = this.#entries
    // What was written since the restart before bounds what that one has written again.
    const ofLast = open === undefined ? 0 : Math.min(open.uncovered, written - open.written)
    await this.#write({
      restarts: restarts + 1,
      settled: settled + ofLast,
      // What it wrote again before the look is not to be missed by the next one.
      open: { uncovered: Math.max(0, written - copies - covered), written: job === 'stands' ? written : 0 },
      ambiguous,
    })
  }

  /** @param ambiguous LogGroups that this process has sent again so far because an answer was lost */
  async sentAgain(ambiguous: number): Promise<void> {
    const sum = this.#ambiguousBefore + ambiguous
    if (sum !== this.#entries.ambiguous) await this.#write({ ...this.#entries, ambiguous: sum })
  }

  async #write(entries: Entries): Promise<void> {
    this.#entries = entries
    await this.#file.write(entries)
  }
}
