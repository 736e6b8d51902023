/**
 * `npm start [-- FILES…]`: runs the job of job.ts on the logs of this machine, shows how it goes, and at the end compares
 * what it wrote with what it read.
 */
import { join } from 'node:path'
import { program } from './program.ts'

const { argv, stdout, stderr } = process

// A reader that goes away, as `| head` does, must not end the job.
for (const stream of [stdout, stderr]) stream.on('error', () => {})

const exitCode = await program({
  args: argv.slice(2),
  stdout,
  stderr,
  onSignal: (signal, hear) => process.on(signal, hear),
  places: { logs: '/var/log', ownLog: join('.millrace', 'input', 'access.log') },
})
// What was written has to reach a pipe first.
stdout.write('', () => process.exit(exitCode))
