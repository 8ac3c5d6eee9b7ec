import Dockerfile
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Mount of RUN` {
    private func mount(_ text: String, _ environment: [String] = []) throws -> Instruction.Mount? {
        try instruction("RUN --mount=\(text) x").run?.mounts.first?
            .mount(with: Variables(environment: environment))
    }

    @Test func `binds the context, or a stage`() throws {
        let plain = try mount("target=/x")
        #expect(
            plain?.kind == .bind && plain?.target == "/x" && plain?.from == nil && plain?.isReadOnly == true
        )
        let full = try mount("type=bind,from=s,src=a/b,dst=$D,rw", ["D=/d"])
        #expect(
            full?.from == "s" && full?.source == "a/b" && full?.target == "/d" && full?.isReadOnly == false
        )
        #expect(try mount("destination=/x,ro=false")?.isReadOnly == false)
    }

    @Test func `is a cache, named by its target unless it has an id`() throws {
        let cache = try mount("type=cache,target=/c//d/,sharing=locked,mode=0700,uid=1,gid=2")
        #expect(cache?.kind == .cache && cache?.id == "/c/d" && cache?.sharing == .locked)
        #expect(cache?.mode == 0o700 && cache?.uid == 1 && cache?.gid == 2 && cache?.isReadOnly == false)
        let named = try mount("type=$T,id=i-$A,target=/c,from=s,readonly", ["T=cache", "A=1"])
        #expect(named?.id == "i-1" && named?.from == "s" && named?.isReadOnly == true)
        #expect(named?.sharing == .shared)
    }

    @Test(arguments: [
        ("512", 512), ("64k", 65_536), ("1.5g", 1_610_612_736), ("10MiB", 10_485_760), ("1 kb", 1024),
        ("2B", 2),
    ])
    func `is a tmpfs with a size`(text: String, size: Int64) throws {
        let mount = try mount("type=tmpfs,target=/t,\"size=\(text)\"".replacing(" ", with: "\\ "))
        #expect(mount?.kind == .tmpfs && mount?.size == size && mount?.isReadOnly == false)
    }

    @Test func `is a secret, as a file or a variable`() throws {
        let file = try mount("type=secret,id=a/b,required,mode=0440")
        #expect(file?.id == "a/b" && file?.target == "/run/secrets/b" && file?.isRequired == true)
        #expect(file?.mode == 0o440 && file?.variable == nil)
        let variable = try mount("type=secret,id=t,env=TOKEN")
        #expect(variable?.variable == "TOKEN" && variable?.target == "" && variable?.isRequired == false)
        #expect(try mount("type=secret,target=/x/y")?.id == "y")
        let source = try mount("type=secret,source=s,target=/x/y,required=false")
        #expect(source?.id == "s" && source?.source == "" && source?.target == "/x/y")
    }

    @Test func `has commas and quotes in double quotes`() throws {
        let mount = try mount(#"'type=bind,"source=a,b","target=/""c"",d"'"#)
        #expect(mount?.source == "a,b" && mount?.target == "/c,d")
    }

    @Test(arguments: [
        ("type=bnd", "unsupported mount type \"bnd\" (did you mean bind?)"),
        ("tpye=bind", "unexpected key 'tpye' in 'tpye=bind' (did you mean type?)"),
        ("type=bind,nonsense", "invalid field 'nonsense' must be a key=value pair"),
        ("type=bind,target", "invalid field 'target' must be a key=value pair"),
        ("from=$x", "'from' doesn't support variable expansion, define alias stage instead"),
        ("type=bind,required", "unexpected key 'required' for mount type 'bind'"),
        ("type=bind,size=1", "unexpected key 'size' for mount type 'bind'"),
        ("type=tmpfs,size=x", "invalid value for size: x"),
        ("type=bind,uid=1", "uid not allowed for \"bind\" type mounts"),
        ("type=cache,mode=9", "invalid value 9 for mode"),
        ("type=cache,sharing=lock", "unsupported sharing value \"lock\" (did you mean locked?)"),
        ("type=bind,sharing=locked", "invalid cache sharing set for bind mount"),
        ("ro=maybe", "invalid value for ro: maybe"),
        ("type=secret", "invalid secret mount. one of source, target required"),
        ("type=secret,id=a,source=b", "both source and id can't be set"),
        ("type=secret,id=a,from=b", "secret mount should not have a from"),
        ("type=$T", "--mount=type=ssh is not supported: mica forwards no agents"),
    ])
    func `is refused where it makes no sense`(text: String, message: String) {
        let error = #expect(throws: DockerfileError.self) { try mount(text, ["T=ssh"]) }
        #expect(error?.message == message)
    }
}
