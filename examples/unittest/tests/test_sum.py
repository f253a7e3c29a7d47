import unittest


class Sum(unittest.TestCase):
    def test_adds(self):
        self.assertEqual(1 + 2, 3)
