// Compiles a Jenkinsfile and walks through it as a declarative pipeline: says what each stage does, in order. With a directory as the
// second argument its lines of a shell are run there too, with the variables that a Jenkins would give them.
def env = [BRANCH_NAME: 'main', BUILD_TAG: 'jenkins-1', JOB_NAME: 'shop/main', BUILD_DISPLAY_NAME: '#1', BUILD_URL: 'https://ci.example.com/1']

class Walker {
  Map env
  /** Whether the clock has begun the build. */
  final Map build = [byClock: false]
  def currentBuild = [getBuildCauses: { String kind -> assert kind == 'hudson.triggers.TimerTrigger$TimerTriggerCause'; build.byClock ? [kind] : [] }]
  def scm = 'scm'
  def any = 'any'
  def none = 'none'

  // What has a block and is no more than that.
  static final blocks = ['pipeline', 'options', 'stages', 'steps', 'environment', 'post', 'always', 'catchError', 'node', 'triggers'] as Set
  static final settings = ['disableConcurrentBuilds', 'skipDefaultCheckout', 'buildDiscarder', 'logRotator', 'timeout', 'beforeAgent', 'junit', 'checkout'] as Set

  void within(Closure body) {
    body.delegate = this
    body.resolveStrategy = Closure.DELEGATE_FIRST
    body.call()
  }

  void stage(String name, Closure body) { println "stage $name"; within(body) }
  void agent(String which) { if (which == 'any') println 'agent any' }
  void agent(Closure body) { within(body) }
  void label(String name) { println "agent $name" }
  File directory
  /** What has been put into the environment, by `withEnv` and `environment`. */
  Map given = [:]

  /** `hudson.Util.replaceMacro` over the variables, as `EnvVars.overrideExpandingAll` has it. */
  String expanded(String value) {
    def all = System.getenv() + given
    value.replaceAll(/\$([A-Za-z0-9_]+|\{[A-Za-z0-9_.]+\}|\$)/) { whole, key ->
      key == '$' ? '$' : all.getOrDefault(key.replaceAll(/[{}]/, ''), whole)
    }
  }

  void sh(String line) {
    println "sh $line"
    if (directory == null) return
    def builder = new ProcessBuilder('sh', '-e', '-c', line).directory(directory).redirectErrorStream(true)
    builder.environment().putAll(given)
    def process = builder.start()
    process.outputStream.close()
    print process.inputStream.text
    println "exit ${process.waitFor()}"
  }
  void withEnv(List variables, Closure body) {
    def before = new LinkedHashMap(given)
    variables.each { def (name, value) = (it as String).split('=', 2); given[name] = expanded(value); println "env $name=${given[name]}" }
    within(body)
    given = before
  }
  void withCredentials(List names, Closure body) { println "credentials ${names.join(' ')}"; within(body) }
  void parameters(Closure body) { inParameters = true; within(body); inParameters = false }
  boolean inParameters = false
  void booleanParam(Map asked) { assert inParameters; println "boolean ${asked.name} ${asked.defaultValue}" }
  void choice(Map asked) { assert inParameters; println "choice ${asked.name} ${asked.choices}" }
  String string(Map binding) {
    if (inParameters) { println "string ${binding.name} ${binding.defaultValue} (${binding.description})"; return '' }
    assert binding.credentialsId == binding.variable; binding.variable
  }
  void input(Map asked) { assert asked.message && asked.ok; println "input ${asked.submitter}" }
  void failure(Closure body) { println 'post failure'; within(body) }
  void fixed(Closure body) { println 'post fixed'; within(body) }
  void when(Closure body) { within(body) }
  void cron(String lines) { println "cron ${lines.replace('\n', ', ')}" }

  void expression(Closure test) {
    test.delegate = this
    test.resolveStrategy = Closure.DELEGATE_FIRST
    def before = new LinkedHashMap(env)
    def on = { Map more -> env.clear(); env.putAll(before); env.putAll(more); build.byClock = env.remove('byClock') ?: false; def is = test.call() as boolean; build.byClock = false; env.clear(); env.putAll(before); is }
    println 'when ' + [
      'main': [BRANCH_NAME: 'main'],
      'release/1': [BRANCH_NAME: 'release/1'],
      'feature/x': [BRANCH_NAME: 'feature/x'],
      'v1.x': [BRANCH_NAME: 'v1.x', TAG_NAME: 'v1.x'],
      'v1.y': [BRANCH_NAME: 'v1.y', TAG_NAME: 'v1.y'],
      'a pull request': [BRANCH_NAME: 'main', CHANGE_ID: '7'],
      'the clock': [BRANCH_NAME: 'main', byClock: true],
    ].collect { name, more -> "$name: ${on(more)}" }.join(', ')
  }

  def methodMissing(String name, args) {
    if (blocks.contains(name)) return within(args.last())
    if (settings.contains(name)) return name
    throw new MissingMethodException(name, Walker, args as Object[])
  }

  // `SLIPWAY_EVENT = …` in an environment.
  void setProperty(String name, value) {
    if (metaClass.hasProperty(this, name)) { metaClass.setProperty(this, name, value); return }
    assert name == 'SLIPWAY_EVENT' && value instanceof CharSequence
    given[name] = expanded(value as String)
  }
}

def binding = new Binding()
def walker = new Walker()
walker.env = env
if (args.length > 1) walker.directory = new File(args[1])
binding.setVariable('pipeline', { Closure body -> walker.within(body) })
new GroovyShell(this.class.classLoader, binding).parse(new File(args[0])).run()
