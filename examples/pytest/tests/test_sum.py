def add(a, b):
    return a + b


def test_adds():
    assert add(1, 2) == 3
