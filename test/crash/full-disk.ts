import { execFile } from 'node:child_process'
import { mkdir, rm, statfs, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { JobChild, sleep } from './child.ts'
import { ConcurrentReader, checkLeftovers, checkOutput, type Problems } from './output-check.ts'
import { writeInput } from './records.ts'
import type { Tally } from './round.ts'

const execute = promisify(execFile)
const diskBytes = 24 * 2 ** 20
const freeAtStartBytes = 2 * 2 ** 20
const records = 40_000

export interface FullDiskOptions {
  readonly directory: string
  readonly tally: Tally
  readonly problems: Problems
  readonly log: (text: string) => void
}

/**
 * Output and checkpoints on a disk that runs full: the job holds, survives a kill and a restart on the full disk, and goes
 * on by itself when there is space again.
 */
export const runOnFullDisk = async ({ directory, tally, problems, log }: FullDiskOptions): Promise<void> => {
  const disk = join(directory, 'disk')
  await mkdir(disk, { recursive: true })
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', disk])
  } catch (error) {
    problems.add(`a small tmpfs cannot be mounted, give --no-tmpfs to go without: ${String(error)}`)
    return
  }
  try {
    tally.incident('full disk')
    await fillAndFree(disk, directory, { directory, tally, problems, log })
  } finally {
    await execute('umount', [disk]).catch(() => execute('umount', ['-l', disk]))
  }
}

const freeBytes = async (path: string): Promise<number> => {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

const fillAndFree = async (disk: string, directory: string, options: FullDiskOptions): Promise<void> => {
  const { tally, problems, log } = options
  const input = join(directory, 'input')
  await mkdir(input, { recursive: true })
  const files = await writeInput(input, records)
  const places = { archive: join(disk, 'out', 'archive'), counts: join(disk, 'out', 'counts') }
  const checkpoints = join(disk, 'checkpoints')
  const settings = { input: files.map(({ path }) => path), ...places, checkpoints, parallelism: 4, checkpointMs: 150 }
  const ballast = join(disk, 'ballast')
  await writeFile(ballast, Buffer.alloc((await freeBytes(disk)) - freeAtStartBytes))
  const reader = new ConcurrentReader(places, records, problems)
  reader.start()
  let child = new JobChild({ ...settings, rate: 20_000 }, undefined)
  try {
    if (!(await isHeld(reader, child))) {
      problems.add(
        `the disk did not hold the job: ${reader.archivedLines} records, ${await freeBytes(disk)} bytes free`,
      )
      return
    }
    log(`the disk is full after ${reader.archivedLines} records`)
    child.kill('SIGKILL')
    await child.ended
    tally.killed()
    child = new JobChild({ ...settings, rate: null }, undefined)
    await sleep(2_000)
    if (!child.isRunning) {
      problems.add(`started on a full disk, the job ended: ${JSON.stringify(child.events.at(-1))} ${child.stderr}`)
      return
    }
    await truncate(ballast, 0)
    await rm(ballast)
    const end = await child.endWithin(60_000)
    if (end?.code !== 0) {
      problems.add(`with space again the job did not come to its end: ${JSON.stringify(end)}, ${lastWords(child)}`)
    }
  } finally {
    child.kill('SIGKILL')
    await child.ended
    await reader.stop()
  }
  await checkLeftovers({ ...places, checkpoints }, 3, problems)
  const { archived } = await checkOutput(places, files, true, problems)
  log(`with space again the job went on by itself: ${archived} records`)
}

const lastWords = (child: JobChild): string => `${JSON.stringify(child.events.slice(-3))} ${child.stderr.slice(-500)}`

/** Waits until nothing has become visible for a while although the job runs. */
const isHeld = async (reader: ConcurrentReader, child: JobChild): Promise<boolean> => {
  const untilMs = performance.now() + 30_000
  let lines = 0
  let sinceMs = performance.now()
  while (child.isRunning && performance.now() < untilMs) {
    await sleep(100)
    if (reader.archivedLines !== lines) {
      lines = reader.archivedLines
      sinceMs = performance.now()
    }
    if (lines > 0 && lines < records && performance.now() - sinceMs > 2_000) return true
  }
  return false
}
