import { createWriteStream } from 'node:fs'
import { mkdir, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'

const paths = ['/', '/login', '/cart', '/search?q=lamp', '/api/items', '/api/items/17', '/img/logo.svg', '/health']
const agents = ['Mozilla/5.0 (X11; Linux x86_64)', 'curl/8.5.0', 'kube-probe/1.30', 'Mozilla/5.0 (iPhone)']
const statuses = [200, 200, 200, 200, 200, 200, 204, 301, 304, 304, 400, 401, 404, 404, 500, 503]

/** Lines of an access log, always the same ones. */
export function* accessLog(count: number): Generator<string> {
  let state = 1
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  let atMs = Date.UTC(2026, 0, 1)
  for (let line = 0; line < count; line++) {
    atMs += draw(1_500)
    const time = new Date(atMs).toISOString().slice(0, 19)
    const address = `10.${draw(4)}.${draw(256)}.${1 + draw(254)}`
    const request = `${draw(9) === 0 ? 'POST' : 'GET'} ${paths[draw(paths.length)]} HTTP/1.1`
    const answer = `${statuses[draw(statuses.length)]} ${draw(50_000)}`
    yield `${address} - - [${time}] "${request}" ${answer} "-" "${agents[draw(agents.length)]}"\n`
  }
}

/** Writes the log if it is not there yet. */
export const writeAccessLog = async (path: string, count = 50_000): Promise<void> => {
  const exists = await stat(path).then(
    () => true,
    () => false,
  )
  if (exists) return
  await mkdir(dirname(path), { recursive: true })
  const unfinished = `${path}.${process.pid}`
  await pipeline(accessLog(count), createWriteStream(unfinished))
  await rename(unfinished, path)
}
