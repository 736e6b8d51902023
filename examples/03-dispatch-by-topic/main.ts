import { runExample } from '../shared/example.ts'
import { example } from './dispatch.ts'

await runExample('03-dispatch-by-topic', example)
