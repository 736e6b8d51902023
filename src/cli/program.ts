import { Command, CommanderError } from 'commander'
import { asError, isMillraceError } from '../core/index.ts'
import { addLogServiceCommand, type CliPorts } from './logservice-command.ts'

const usageExitCode = 2

/**
 * Runs one command to its end.
 * @param words what stands after the name of the program
 * @returns the exit code, from the error table when it failed
 */
export const runCommand = async (words: readonly string[], ports: CliPorts): Promise<number> => {
  const program = new Command('millrace')
    .description('log pipelines, and the log service to try them with')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => ports.host.out(text.trimEnd()),
      writeErr: (text) => ports.host.err(text.trimEnd()),
    })
  addLogServiceCommand(program, ports)
  try {
    await program.parseAsync([...words], { from: 'user' })
    return 0
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : usageExitCode
    const error = asError(thrown)
    ports.host.err(error.message)
    return isMillraceError(error) ? error.exitCode : 1
  }
}
