/** The program of a server under measurement: says its port, and what CPU time it has used whenever it is asked. */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { logService } from '../../src/entry/logservice.ts'
import { nodeCompression } from '../../src/platform/index.ts'
import { checkLogGroup, logGroupList } from '../../src/wire/index.ts'
import { nginxGroups } from '../codec/nginx-groups.ts'
import { cpuMs } from '../harness/machine.ts'
import { accessKey, groupBytes, type ServerKind, secret } from './traffic.ts'

const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-service-'))

const serveReal = async (): Promise<number> => {
  const service = await logService({
    directory: join(directory, 'data'),
    auth: { [accessKey]: secret },
    projects: ['bench'],
  })
  return service.port
}

/** What one would write in an hour: it decodes and checks a body, appends it, syncs, and answers. */
const servePlain = async (): Promise<number> => {
  const lz4 = await nodeCompression.blockCodec('lz4')
  const file = await open(join(directory, 'log'), 'a')
  const { encoded } = nginxGroups(8 * groupBytes)
  const list = logGroupList(encoded)
  const body = lz4.compress(list)
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      if (request.method === 'GET') {
        response.writeHead(200, { 'content-length': body.length, 'x-log-bodyrawsize': list.length })
        response.end(body)
        return
      }
      const sent = Buffer.concat(pieces)
      checkLogGroup(lz4.decompress(sent, Number(request.headers['x-log-bodyrawsize'])))
      void file
        .write(sent)
        .then(() => file.sync())
        .then(() => response.writeHead(200, { 'content-length': 0 }).end())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

process.on('message', () => process.send?.({ cpuMs: cpuMs() }))
process.once('disconnect', () => void rm(directory, { recursive: true, force: true }).finally(() => process.exit(0)))
const kind = process.argv[2] as ServerKind
process.send?.({ port: await (kind === 'service' ? serveReal() : servePlain()) })
