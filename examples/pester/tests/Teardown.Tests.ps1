# No test of this file fails, and no XML report says that anything did: the gate is red all the same.
Describe 'Teardown' {
    AfterAll { throw 'the bench cannot be released' }
    It 'works' { 1 + 1 | Should -Be 2 }
}
