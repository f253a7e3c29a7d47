Describe 'Greeting' {
    It 'greets by name' {
        'hello {0}' -f 'world' | Should -Be 'hello world'
    }
    It 'is skipped here' -Skip {
        $false | Should -BeTrue
    }
}
