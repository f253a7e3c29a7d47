#Requires -Version 5.1
<#
.SYNOPSIS
Runs the Pester tests of one plan and says what happened: a journal while it runs, a run object at the end.
.DESCRIPTION
Called by pester-gate; docs/pester.md holds the protocol. It knows files, tags, output paths and versions, and nothing else.
Tests see every variable and preference of the scope that calls Invoke-Pester: that scope holds one variable beside the
parameters, and everything else happens inside functions.
Exit codes: 0 passed, 1 failed, 2 plan unusable, 3 Pester missing or unsupported, 4 Pester threw or returned nothing.
#>
param(
    [string] $PlanPath,
    [switch] $Probe
)

function Get-InstalledPester {
    @(Get-Module -ListAvailable -Name Pester | Sort-Object -Property Version -Descending)
}

function Write-GateProbe {
    $found = @(foreach ($module in Get-InstalledPester) { [ordered]@{ version = "$($module.Version)"; path = "$($module.Path)" } })
    $answer = [ordered]@{
        schema          = 'pester-gate-probe@v1'
        ps              = "$($PSVersionTable.PSVersion)"
        edition         = "$($PSVersionTable.PSEdition)"
        executionPolicy = "$(Get-ExecutionPolicy)"
        found           = $found
    }
    [Console]::Out.WriteLine((ConvertTo-Json -InputObject $answer -Compress -Depth 4))
}

function Stop-GateRun([int] $Code, [string] $Message) {
    [Console]::Error.WriteLine("pester-gate: $Message")
    exit $Code
}

function Read-GatePlan([string] $Path) {
    if (-not $Path) { Stop-GateRun 2 'no -PlanPath was given' }
    try { $plan = [IO.File]::ReadAllText($Path) | ConvertFrom-Json }
    catch { Stop-GateRun 2 "the plan '$Path' cannot be read: $_" }
    if ($plan.schema -ne 'pester-gate-dispatch-plan@v1') { Stop-GateRun 2 "the plan has schema '$($plan.schema)'" }
    if (@($plan.files).Count -eq 0) { Stop-GateRun 2 'the plan names no file' }
    $plan
}

# A journal is a file handle of its own: a test that closes or redirects the console does not touch it.
function New-GateJournal($Plan) {
    $state = @{ Seq = 0; Utf8 = [Text.UTF8Encoding]::new($false, $false); Stream = $null }
    $path = [IO.Path]::Combine($Plan.output, 'dispatcher-events.ndjson')
    $state.Stream = [IO.FileStream]::new($path, 'Append', 'Write', 'ReadWrite')
    $write = {
        param([string] $Type, $Fields)
        $state.Seq++
        $record = [ordered]@{
            schema = 'comparevi/runtime-event/v1'
            seq    = $state.Seq
            tsUtc  = [DateTime]::UtcNow.ToString('o')
            type   = $Type
        }
        if ($Fields) { foreach ($key in $Fields.Keys) { $record[$key] = $Fields[$key] } }
        $bytes = $state.Utf8.GetBytes((ConvertTo-Json -InputObject $record -Compress -Depth 4) + "`n")
        $state.Stream.Write($bytes, 0, $bytes.Length)
        $state.Stream.Flush()
    }.GetNewClosure()
    @{ Write = $write; State = $state }
}

# The newest installed version in the range. Windows ships 3.4.0, which no range here admits.
function Select-GatePester($Plan, $Write) {
    $least = [version]'5.0.0'
    $most = [version]'6.999.999'
    if ($Plan.pester.minimumVersion) { $least = [version]$Plan.pester.minimumVersion }
    if ($Plan.pester.maximumVersion) { $most = [version]$Plan.pester.maximumVersion }
    $found = Get-InstalledPester
    $chosen = $found | Where-Object { $_.Version -ge $least -and $_.Version -le $most } | Select-Object -First 1
    & $Write 'adapter-start' ([ordered]@{
            pid     = $PID
            ps      = "$($PSVersionTable.PSVersion)"
            edition = "$($PSVersionTable.PSEdition)"
            culture = [Globalization.CultureInfo]::CurrentCulture.Name
            pester  = "$($chosen.Version)"
            found   = @($found | ForEach-Object { "$($_.Version)" })
        })
    if (-not $chosen) {
        $reason = 'pester-missing'
        if (@($found).Count -gt 0) { $reason = 'pester-version-unsupported' }
        & $Write 'adapter-refused' ([ordered]@{ reason = $reason; wanted = "$least..$most" })
        Stop-GateRun 3 "Pester $least..$most is not installed"
    }
    $chosen
}

# Events from inside the run, through the hook that Pester keeps for editors. Without it the run still works.
function Set-GateHook($Module, $Write) {
    try {
        $hook = @{
            Name                  = 'pester-gate'
            # A test may call Invoke-Pester itself: only the outer run is told.
            DiscoveryStart        = { & $Module { $script:additionalPlugins = $null }; & $Write 'discovery-start' }.GetNewClosure()
            ContainerDiscoveryEnd = { param($Context) & $Write 'file-discovered' ([ordered]@{ file = "$($Context.BlockContainer.Item)" }) }.GetNewClosure()
            DiscoveryEnd          = { & $Write 'discovery-end' }.GetNewClosure()
            ContainerRunStart     = { param($Context) & $Write 'file-start' ([ordered]@{ file = "$($Context.Block.BlockContainer.Item)" }) }.GetNewClosure()
            EachBlockSetupStart   = {
                param($Context)
                $block = $Context.Block
                if (-not $block.IsRoot) {
                    & $Write 'block-start' ([ordered]@{ file = "$($block.BlockContainer.Item)"; line = $block.StartLine; block = $block.Path -join '.' })
                }
            }.GetNewClosure()
            EachTestSetupStart    = {
                param($Context)
                $test = $Context.Test
                & $Write 'test-start' ([ordered]@{ file = "$($test.ScriptBlock.File)"; line = $test.StartLine; test = $test.ExpandedPath })
            }.GetNewClosure()
            EachTestTeardownEnd   = {
                param($Context)
                $test = $Context.Test
                # The result is not decided yet at this point: it follows from the flags and the error.
                $failure = @($test.ErrorRecord)[0]
                $id = $null
                if ($failure) { $id = "$($failure.FullyQualifiedErrorId)" }
                $outcome = 'Failed'
                if ($test.Skipped -or $test.Skip -or $id -eq 'PesterTestSkipped') { $outcome = 'Skipped' }
                elseif ($test.Inconclusive -or $id -eq 'PesterTestInconclusive') { $outcome = 'Inconclusive' }
                elseif ($test.Passed) { $outcome = 'Passed' }
                if ($outcome -ne 'Failed') { $id = $null }
                & $Write 'test-end' ([ordered]@{
                        file    = "$($test.ScriptBlock.File)"
                        line    = $test.StartLine
                        test    = $test.ExpandedPath
                        outcome = $outcome
                        ms      = [math]::Round($test.Duration.TotalMilliseconds, 1)
                        errorId = $id
                    })
            }.GetNewClosure()
            EachBlockTeardownEnd  = {
                param($Context)
                $block = $Context.Block
                if (-not $block.IsRoot) {
                    & $Write 'block-end' ([ordered]@{
                            file   = "$($block.BlockContainer.Item)"
                            line   = $block.StartLine
                            block  = $block.Path -join '.'
                            failed = @($block.ErrorRecord).Count -gt 0
                        })
                }
            }.GetNewClosure()
            ContainerRunEnd       = { param($Context) & $Write 'file-end' ([ordered]@{ file = "$($Context.Block.BlockContainer.Item)" }) }.GetNewClosure()
            RunEnd                = { & $Write 'run-end' }.GetNewClosure()
        }
        & $Module { param($Hook) $script:additionalPlugins = @(New-PluginObject @Hook) } $hook
        $true
    }
    catch {
        & $Write 'journal-degraded' ([ordered]@{ error = "$_" })
        $false
    }
}

function New-GateConfiguration($Plan) {
    $configuration = New-PesterConfiguration
    # Every option by name, and only where this Pester has it.
    $set = {
        param([string] $Section, [string] $Name, $Value)
        if ($configuration.$Section.PSObject.Properties[$Name]) { $configuration.$Section.$Name = $Value }
    }
    # To Pester a path is a wildcard pattern: unescaped, 'Odd[1].Tests.ps1' silently matches nothing.
    & $set 'Run' 'Path' ([string[]]@($Plan.files | ForEach-Object { [Management.Automation.WildcardPattern]::Escape($_) }))
    & $set 'Run' 'PassThru' $true
    $verbosity = 'Detailed'
    if ($Plan.verbosity) { $verbosity = $Plan.verbosity }
    & $set 'Output' 'Verbosity' $verbosity
    & $set 'Output' 'CIFormat' 'None'
    & $set 'Output' 'RenderMode' 'Plaintext'
    if ($Plan.filter.tag) { & $set 'Filter' 'Tag' ([string[]]$Plan.filter.tag) }
    if ($Plan.filter.excludeTag) { & $set 'Filter' 'ExcludeTag' ([string[]]$Plan.filter.excludeTag) }
    if ($Plan.filter.fullName) { & $set 'Filter' 'FullName' ([string[]]$Plan.filter.fullName) }
    $configuration
}

function Start-GateRun([string] $PlanPath) {
    $ErrorActionPreference = 'Stop'
    $plan = Read-GatePlan $PlanPath
    try { $journal = New-GateJournal $plan } catch { Stop-GateRun 2 "the output folder '$($plan.output)' cannot be written: $_" }
    $write = $journal.Write
    $chosen = Select-GatePester $plan $write
    $module = @(Import-Module $chosen.Path -PassThru -DisableNameChecking -Global | Where-Object { $_.Name -eq 'Pester' })[0]
    foreach ($file in $plan.files) {
        if (-not (Test-Path -LiteralPath $file -PathType Leaf)) { & $write 'file-missing' ([ordered]@{ file = $file }) }
    }
    $hooked = Set-GateHook $module $write
    $configuration = New-GateConfiguration $plan
    Set-Location -LiteralPath $plan.root
    @{ Plan = $plan; Journal = $journal; Emit = $write; Hooked = $hooked; Configuration = $configuration; Run = $null; Returned = $false }
}

function Get-GateErrors($Records) {
    foreach ($record in @($Records)) {
        if ($null -eq $record) { continue }
        $message = "$($record.Exception.Message)"
        if ($record.PSObject.Properties['DisplayErrorMessage'] -and $record.DisplayErrorMessage) { $message = "$($record.DisplayErrorMessage)" }
        $trace = ''
        if ($record.PSObject.Properties['DisplayStackTrace']) { $trace = "$($record.DisplayStackTrace)" }
        $type = ''
        if ($record.Exception) { $type = $record.Exception.GetType().FullName }
        [ordered]@{
            id      = "$($record.FullyQualifiedErrorId)"
            type    = $type
            message = $message
            trace   = $trace
            file    = "$($record.InvocationInfo.ScriptName)"
            line    = $record.InvocationInfo.ScriptLineNumber
        }
    }
}

function Get-GateFailedBlocks($Blocks) {
    foreach ($block in @($Blocks)) {
        if ($null -eq $block) { continue }
        if (@($block.ErrorRecord).Count -gt 0) {
            [ordered]@{ path = "$($block.ExpandedPath)"; line = $block.StartLine; errors = @(Get-GateErrors $block.ErrorRecord) }
        }
        Get-GateFailedBlocks $block.Blocks
    }
}

function Get-GateTags($Test) {
    $tags = @($Test.Tag)
    $block = $Test.Block
    while ($block -and -not $block.IsRoot) {
        $tags += @($block.Tag)
        $block = $block.Parent
    }
    @($tags | Where-Object { $_ } | Select-Object -Unique)
}

function ConvertTo-GateFile($Container) {
    [ordered]@{
        file         = "$($Container.Item)"
        result       = "$($Container.Result)"
        shouldRun    = $Container.ShouldRun
        executed     = $Container.Executed
        total        = $Container.TotalCount
        passed       = $Container.PassedCount
        failed       = $Container.FailedCount
        skipped      = $Container.SkippedCount
        inconclusive = [int]$Container.InconclusiveCount
        notRun       = $Container.NotRunCount
        durationMs   = [math]::Round($Container.Duration.TotalMilliseconds, 1)
        errors       = @(Get-GateErrors $Container.ErrorRecord)
        failedBlocks = @(Get-GateFailedBlocks $Container.Blocks)
    }
}

function ConvertTo-GateTest($Test) {
    [ordered]@{
        path       = $Test.ExpandedPath
        name       = $Test.ExpandedName
        file       = "$($Test.ScriptBlock.File)"
        line       = $Test.StartLine
        tags       = @(Get-GateTags $Test)
        result     = "$($Test.Result)"
        durationMs = [math]::Round($Test.Duration.TotalMilliseconds, 2)
        errors     = @(Get-GateErrors $Test.ErrorRecord)
    }
}

function ConvertTo-GateRun($Run, [bool] $Hooked) {
    [ordered]@{
        schema      = 'pester-gate-run@v1'
        pester      = "$($Run.Version)"
        ps          = "$($PSVersionTable.PSVersion)"
        result      = "$($Run.Result)"
        journal     = $Hooked
        startedUtc  = $Run.ExecutedAt.ToUniversalTime().ToString('o')
        durationMs  = [math]::Round($Run.Duration.TotalMilliseconds)
        discoveryMs = [math]::Round($Run.DiscoveryDuration.TotalMilliseconds)
        counts      = [ordered]@{
            total        = $Run.TotalCount
            passed       = $Run.PassedCount
            failed       = $Run.FailedCount
            skipped      = $Run.SkippedCount
            inconclusive = [int]$Run.InconclusiveCount
            notRun       = $Run.NotRunCount
            failedBlocks = $Run.FailedBlocksCount
            failedFiles  = $Run.FailedContainersCount
        }
        files       = @(foreach ($container in $Run.Containers) { ConvertTo-GateFile $container })
        tests       = @(foreach ($test in $Run.Tests) { ConvertTo-GateTest $test })
    }
}

# Reports are evidence: they are exported after the verdict, and one that fails costs nothing else.
function Export-GateReports($Gate, $Run) {
    $write = $Gate.Journal.Write
    $out = $Gate.Plan.output
    foreach ($format in @($Gate.Plan.reports)) {
        $path = $null
        try {
            switch ($format) {
                'nunit2.5' { $path = [IO.Path]::Combine($out, 'pester-results.xml'); $Run | Export-NUnitReport -Path $path -Format NUnit2.5 }
                'nunit3' { $path = [IO.Path]::Combine($out, 'pester-results.nunit3.xml'); $Run | Export-NUnitReport -Path $path -Format NUnit3 }
                'junit' { $path = [IO.Path]::Combine($out, 'pester-results.junit.xml'); $Run | Export-JUnitReport -Path $path }
                default { throw "unknown report format '$format'" }
            }
            & $write 'report-written' ([ordered]@{ format = $format; path = $path })
        }
        catch { & $write 'report-failed' ([ordered]@{ format = $format; path = $path; error = "$_" }) }
    }
}

function Complete-GateRun($Gate) {
    $ErrorActionPreference = 'Stop'
    $write = $Gate.Journal.Write
    $run = @($Gate.Run | Where-Object { $_ -is [Pester.Run] })[-1]
    if ($null -eq $run) {
        & $write 'no-result-object'
        exit 4
    }
    # A test may have deleted the folder.
    $null = [IO.Directory]::CreateDirectory($Gate.Plan.output)
    $path = [IO.Path]::Combine($Gate.Plan.output, 'pester-run.json')
    $json = ConvertTo-Json -InputObject (ConvertTo-GateRun $run $Gate.Hooked) -Depth 8 -Compress
    [IO.File]::WriteAllText("$path.tmp", $json, $Gate.Journal.State.Utf8)
    if ([IO.File]::Exists($path)) { [IO.File]::Delete($path) }
    [IO.File]::Move("$path.tmp", $path)
    Export-GateReports $Gate $run
    # Never a count: 256 failures would be exit code 0.
    $code = 1
    if ("$($run.Result)" -eq 'Passed') { $code = 0 }
    & $write 'adapter-end' ([ordered]@{ result = "$($run.Result)"; exitCode = $code })
    $Gate.Journal.State.Stream.Dispose()
    exit $code
}

if ($Probe) { Write-GateProbe; exit 0 }
$__pesterGate = Start-GateRun $PlanPath
try {
    $__pesterGate.Run = Invoke-Pester -Configuration $__pesterGate.Configuration
    $__pesterGate.Returned = $true
}
catch {
    $__pesterGate.Returned = $true
    & $__pesterGate.Emit 'invoke-threw' ([ordered]@{ error = "$_"; id = "$($_.FullyQualifiedErrorId)" })
    [Console]::Error.WriteLine("pester-gate: Invoke-Pester threw: $_")
    exit 4
}
finally {
    if (-not $__pesterGate.Returned) { & $__pesterGate.Emit 'invoke-left-early' }
}
Complete-GateRun $__pesterGate
