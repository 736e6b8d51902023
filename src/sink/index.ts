/** Where records go: the contracts of a sink. Imports core only. */
export * from './sink.ts'
