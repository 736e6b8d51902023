/** The command line. */
export { authVariable, type CliPorts } from './logservice-command.ts'
export { runCommand } from './program.ts'
