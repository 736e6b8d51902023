package interop;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Drives the official Java SDK, its consumer library and its producer against the log service of the environment. */
public final class Main {
    private static final long CASE_SECONDS_MAX = 100;
    private static final PrintStream REPORTS =
            new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    private static final ExecutorService CASES = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    });

    private Main() {}

    /** A case; anything it throws makes it red. */
    interface Probe {
        void run(Try t) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(System.err);
        Environment env = new Environment();
        Addressing.install(env);
        try {
            new Try("set-up", env).client.CreateProject(env.project, "shared by the cases");
        } catch (Exception failure) {
            System.err.println("no project to work in: " + failure);
            Runtime.getRuntime().halt(1);
        }

        // The slow ones wait for heartbeats and timeouts most of the time, so they run beside the others.
        List<Future<?>> slow = new ArrayList<>();
        Map<String, Probe> slowProbes = new LinkedHashMap<>();
        GroupCases.addSlow(slowProbes);
        LibraryCases.add(slowProbes);
        slowProbes.forEach((id, probe) -> slow.add(CASES.submit(() -> judge(id, probe, env))));
        Map<String, Probe> probes = new LinkedHashMap<>();
        AccessCases.add(probes);
        PlaceCases.add(probes);
        PutCases.add(probes);
        ReadCases.add(probes);
        ShardCases.add(probes);
        GroupCases.add(probes);
        ErrorCases.add(probes);
        probes.forEach((id, probe) -> judge(id, probe, env));
        for (Future<?> one : slow) one.get();
        REPORTS.flush();
        Runtime.getRuntime().halt(0);
    }

    private static void judge(String id, Probe probe, Environment env) {
        Future<?> run = CASES.submit(() -> {
            probe.run(new Try(id, env));
            return null;
        });
        try {
            run.get(CASE_SECONDS_MAX, TimeUnit.SECONDS);
            report(id, null);
        } catch (ExecutionException failure) {
            Throwable cause = failure.getCause();
            if (!(cause instanceof Try.Failure)) cause.printStackTrace();
            report(id, cause instanceof Try.Failure ? cause.getMessage() : String.valueOf(cause));
        } catch (TimeoutException late) {
            run.cancel(true);
            report(id, "not done within " + CASE_SECONDS_MAX + " s");
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    private static synchronized void report(String id, String detail) {
        String end = detail == null ? "\"ok\":true}" : "\"ok\":false,\"detail\":" + quoted(detail) + "}";
        REPORTS.println("{\"case\":" + quoted(id) + "," + end);
    }

    private static String quoted(String text) {
        StringBuilder line = new StringBuilder("\"");
        for (char sign : text.toCharArray()) {
            if (sign == '"' || sign == '\\') line.append('\\').append(sign);
            else if (sign < ' ') line.append(String.format("\\u%04x", (int) sign));
            else line.append(sign);
        }
        return line.append('"').toString();
    }
}
