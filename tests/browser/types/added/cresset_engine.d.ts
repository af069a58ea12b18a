// The compiled engine, which wasm-bindgen puts beside www/ with types of its own.
export class Engine {
  [method: string]: any;
  static [method: string]: any;
}
export function initSync(options: object): any;
export default function init(options?: object): Promise<any>;
export const probe: any;
export const help: any;
export const join: any;
export const leave: any;
export const threads: any;
