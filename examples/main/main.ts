/**
 * `npm start [-- --once] [FILES…]`: a log service, a job that writes real lines into it, and a job that reads, counts and
 * dispatches them, while a shard is split and a subtask killed; at the end everything is compared.
 */
import { fileURLToPath } from 'node:url'
import { program } from './program.ts'

const { argv, stdout, stderr } = process

// A reader that goes away, as `| head` does, must not end the job.
for (const stream of [stdout, stderr]) stream.on('error', () => {})

/** The same from the source and from `dist`. */
const root = new URL(import.meta.url.includes('/dist/examples/') ? '../../../' : '../../', import.meta.url)

const exitCode = await program({
  args: argv.slice(2),
  stdout,
  stderr,
  onSignal: (signal, hear) => process.on(signal, hear),
  places: { logs: '/var/log', recorded: fileURLToPath(new URL('examples/main/recorded-access.txt', root)) },
})
// What was written has to reach a pipe first.
stdout.write('', () => process.exit(exitCode))
