import type { Arguments } from './arguments.ts'
export const runPlanted = async (_: Arguments, _say: (line: string) => void): Promise<boolean> => true
export const runPlantedCorpus = async (_: number, _say: (line: string) => void): Promise<boolean> => true
