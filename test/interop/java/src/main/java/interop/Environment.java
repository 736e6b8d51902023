package interop;

/** What the runner says about the service, and the names this program derives from it. */
final class Environment {
    final String host = value("SLS_HOST");
    final int port = Integer.parseInt(value("SLS_PORT"));
    final String key = value("SLS_AK");
    final String secret = value("SLS_SK");
    final String stsKey = value("SLS_STS_AK");
    final String stsSecret = value("SLS_STS_SK");
    final String stsToken = value("SLS_STS_TOKEN");
    final String project = value("SLS_PREFIX") + "java";
    final String endpoint = "http://" + host;

    private static String value(String name) {
        String found = System.getenv(name);
        if (found == null || found.isEmpty()) {
            System.err.println(name + " is not set");
            Runtime.getRuntime().halt(2);
        }
        return found;
    }
}
