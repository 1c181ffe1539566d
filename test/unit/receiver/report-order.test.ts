import { expect, test } from 'vitest'
import { inOrder } from '../../../packages/receiver/src/core/report-order.ts'

const of = (sequence: unknown, report_epoch: unknown = 'e') => ({ report_epoch, sequence })

test('reports that wait together end as if they had come one after the other', () => {
  expect(inOrder(undefined, [of(1), of(3), of(2)])).toEqual({ last: 1, answers: [undefined, undefined, 3] })
  expect(inOrder(of(5), [of(4), of(3)])).toEqual({ last: undefined, answers: [5, 5] })
  expect(inOrder(of(5), [of(1, 'new'), of(6)])).toEqual({ last: 1, answers: [undefined, undefined] })
  expect(inOrder(of(5), [of(7), of('none'), of(6)])).toEqual({ last: 2, answers: [undefined, undefined, undefined] })
})
