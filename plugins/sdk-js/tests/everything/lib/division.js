/** Half of an even number. */
export function half(number) {
  if (number % 2 !== 0) throw new RangeError(`${number} is odd`);
  return number / 2;
}
