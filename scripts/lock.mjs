// A lock between processes: a directory, because making one either succeeds or tells that it is there.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

const beatMs = 2_000
/** For an owner on another machine that shares the disk. */
const silentMsMax = 30_000
/** For an owner whose process number may by now be somebody else's. */
const forgottenMs = 600_000
const pollMs = 200

const ownerFile = (directory) => join(directory, 'owner.json')
const writeOwner = (directory, pids) => writeFileSync(ownerFile(directory), JSON.stringify({ host: hostname(), pids }))

const ownerOf = (directory) => {
  try {
    return JSON.parse(readFileSync(ownerFile(directory), 'utf8'))
  } catch {
    return undefined
  }
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Undefined when the lock is gone. The owner touches the directory while it works; a killed one stops doing so. */
const isStale = (directory) => {
  try {
    const silentMs = Date.now() - statSync(directory).mtimeMs
    const owner = ownerOf(directory)
    if (owner?.host !== hostname()) return silentMs > silentMsMax
    return silentMs > forgottenMs || !owner.pids.some(isAlive)
  } catch {
    return undefined
  }
}

/** Moves a stale lock aside before removing it, so that of two who find it stale one succeeds. */
const breakLock = (directory) => {
  const aside = `${directory}.${process.pid}`
  try {
    renameSync(directory, aside)
  } catch {
    return
  }
  // Between the look and the move the lock may have become a living one's: then it goes back.
  if (isStale(aside) === false && !existsSync(directory)) renameSync(aside, directory)
  else rmSync(aside, { recursive: true, force: true })
}

const touch = (directory) => {
  try {
    utimesSync(directory, new Date(), new Date())
  } catch {
    // Somebody took this process for dead. Its work is safe to do twice.
  }
}

const tryLock = (directory) => {
  try {
    mkdirSync(directory)
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
  writeOwner(directory, [process.pid])
  return true
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Runs `work` while holding the lock; waits for its turn, and takes over from an owner that died. `work` gets a function
 * that names a child process: as long as one lives, the lock does too, even if this process is killed.
 */
export const withLock = async (directory, { onWait }, work) => {
  for (let waited = 0; !tryLock(directory); waited += 1) {
    if (isStale(directory) === true) breakLock(directory)
    else {
      if (waited === 3) onWait()
      await sleep(pollMs)
    }
  }
  const release = () => rmSync(directory, { recursive: true, force: true })
  const beat = setInterval(() => touch(directory), beatMs)
  process.on('exit', release)
  try {
    return await work((pid) => writeOwner(directory, [process.pid, pid]))
  } finally {
    clearInterval(beat)
    process.off('exit', release)
    release()
  }
}
