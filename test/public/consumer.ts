/** What a user's job file looks like to the compiler. Compiled by package.test.ts, as a project outside this repository. */
import { job } from 'millrace'

export const empty = job('nothing', {}, () => undefined)
