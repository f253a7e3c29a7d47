using Xunit;

public class SumTests
{
    [Fact]
    public void Adds()
    {
        Assert.Equal(3, 1 + 2);
    }
}
