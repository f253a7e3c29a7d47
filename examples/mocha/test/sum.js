const assert = require('node:assert');

describe('sum', () => {
  it('adds', () => {
    assert.equal(1 + 2, 3);
  });
});
