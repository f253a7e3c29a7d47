#include <assert.h>

int main(void) {
    assert(1 + 2 == 3);
    return 0;
}
