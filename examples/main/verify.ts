import { stat } from 'node:fs/promises'
import type { SlsClient } from 'millrace/sls'
import { type End, linesOf } from '../shared/file-lines.ts'
import { type InputFile, isGzip } from '../shared/input.ts'
import { groupPositions } from '../shared/shards.ts'
import { Counts } from './counts.ts'
import { consumerGroup } from './dispatch-and-count.ts'
import { LineTable } from './line-table.ts'
import { type FileEnd, Survey } from './survey.ts'
import { topics } from './topics.ts'

/** What a second look at files, logstores and counts found. */
export interface Verdict {
  /** Lines of the files; of a run that was stopped, lines of `access` up to where the job has read. */
  readonly in: number
  /** Lines of these in the target logstores. */
  readonly out: number
  /** Lines that are in no target, and logs that the state has not counted. */
  readonly lost: number
  /** Logs that the state has counted twice. */
  readonly duplicate: number
  /** Copies in the target logstores, beyond the first of each line. */
  readonly rewritten: number
  /** Copies that are in `access` itself: they are no fault of the job. */
  readonly copiesRead: number
  /** Logs of the largest LogGroup that the job has read. */
  readonly groupLogs: number
  /** Lines in the targets that no input has. */
  readonly foreign: number
  /** Logs the state has counted. */
  readonly counted: number
  /** Inputs that are gone or were replaced: `access` stands for them. */
  readonly gone: readonly string[]
}

export interface VerifyOptions {
  readonly client: SlsClient
  readonly counts: string
  /** The files there were at the first start. */
  readonly files: readonly InputFile[]
  /** True when the files are written to their end; else what is written stands for them. */
  readonly finished: boolean
  /** True when the job has read all that is written; else only what the consumer group was told of counts. */
  readonly allRead: boolean
}

/** Reads input, logstores and counts anew, with code of its own, and compares them line by line. */
export const verify = async ({
  client,
  counts: directory,
  files,
  finished,
  allRead,
}: VerifyOptions): Promise<Verdict> => {
  const table = new LineTable()
  const survey = new Survey(client, table)
  const readTo = allRead ? undefined : await groupPositions(client, 'access', consumerGroup)
  await survey.read('access', 'access', readTo)
  for (const topic of topics) await survey.read('targets', topic)
  const gone = finished ? await readFiles(files, survey.ends, table) : [...survey.ends.keys()]
  const counts = new Counts(directory)
  await counts.refresh()
  const { lost, duplicate } = compareCounts(counts, survey.levels)
  const sum = { in: 0, out: 0, lost, duplicate, rewritten: 0, copiesRead: 0, foreign: 0 }
  // Of files that nobody can read any more, what was written of them is the input.
  const isInput = ({ input, access }: { input: number; access: number }): boolean =>
    input > 0 || (gone.length > 0 && access > 0)
  table.forEach((copies) => {
    const { access, targets } = copies
    if (isInput(copies)) {
      sum.in++
      if (targets > 0) sum.out++
      else sum.lost++
    } else if (targets > 0 && allRead) sum.foreign++
    sum.rewritten += Math.max(0, targets - 1)
    sum.copiesRead += Math.max(0, access - 1)
  })
  return { ...sum, groupLogs: survey.groupLogs, counted: counts.total, gone: finished ? gone : [] }
}

/** True when nothing is wrong. */
export const isRight = ({ lost, duplicate, foreign, rewritten }: Verdict, bound: number): boolean =>
  lost === 0 && duplicate === 0 && foreign === 0 && rewritten <= bound

const compareCounts = (
  counts: Counts,
  stored: ReadonlyMap<string, number>,
): { readonly lost: number; readonly duplicate: number } => {
  let lost = 0
  let duplicate = 0
  for (const level of new Set([...stored.keys(), ...counts.levels().map(([name]) => name)])) {
    const difference = counts.of(level) - (stored.get(level) ?? 0)
    duplicate += Math.max(0, difference)
    lost += Math.max(0, -difference)
  }
  return { lost, duplicate }
}

/** Takes in the lines of the files; gives the files that are not what they were. */
const readFiles = async (
  files: readonly InputFile[],
  ends: ReadonlyMap<string, FileEnd>,
  table: LineTable,
): Promise<string[]> => {
  const gone: string[] = []
  for (const file of files) {
    const written = ends.get(file.path)
    if (!(await isAsBefore(file, written))) {
      gone.push(file.path)
      continue
    }
    for await (const { bytes, offset } of linesOf(file.path, await endOf(file, written), 'also-crlf')) {
      table.add('input', file.path, offset, bytes)
    }
  }
  return gone
}

/** A file may have grown between the plan and the start of the job; a line at its end may have been half there. */
const endOf = async ({ path, size }: InputFile, written: FileEnd | undefined): Promise<End> => {
  // The size of a compressed file says nothing about the bytes in it; it is read to its end.
  const length = (await isGzip(path)) ? Number.POSITIVE_INFINITY : size
  return {
    startsBefore: Math.max(length, (written?.start ?? -1) + 1),
    stopsAt: Math.max(length, written?.end ?? 0),
  }
}

const isAsBefore = async ({ path, inode, size }: InputFile, written: FileEnd | undefined): Promise<boolean> => {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || found.ino !== inode) return false
  return (await isGzip(path)) || found.size >= Math.max(size, written?.end ?? 0)
}
