/** Where records come from: the contracts of a source, and the parts most sources are built from. Imports core only. */
export * from './source.ts'
