import { runExample } from '../shared/example.ts'
import { example } from './produce.ts'

await runExample('01-produce', example)
