import { isMillraceError } from '../../../core/index.ts'

/** What an error says, without its code, its place and its fix: for a sentence that goes on with it. */
export const reasonOf = (error: Error): string => {
  if (!isMillraceError(error)) return error.message
  const [line = ''] = error.message.split('\n')
  const text = line.startsWith(error.code) ? line.slice(error.code.length) : line
  return text.replace(/^(?: \([^)]*\))?: /, '')
}
