package interop;

import com.aliyun.openservices.log.common.FastLog;
import com.aliyun.openservices.log.common.FastLogContent;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.FastLogTag;
import com.aliyun.openservices.log.common.LogContent;
import com.aliyun.openservices.log.common.LogGroup;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.TagContent;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Logs and groups to send, and groups written as text, to be compared. */
final class Data {
    static final String LOWEST = "0".repeat(32);
    static final String HIGHEST = "f".repeat(32);
    /** They lie in the four shards of a logstore, in order; the second is a prefix. */
    static final List<String> SHARD_KEYS = List.of("0".repeat(31) + "1", "5f", "8c" + "0".repeat(30), HIGHEST);

    private static final String LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    private static final int TIME = (int) (System.currentTimeMillis() / 1000);

    private Data() {}

    /** A log that can be told from the others by its field n. */
    static LogItem log(int n) {
        LogItem item = new LogItem(TIME);
        item.PushBack("n", Integer.toString(n));
        item.PushBack("msg", "你好 hello hello hello hello");
        return item;
    }

    static LogGroup group(LogItem... items) {
        return new LogGroup(Try.items(items), new ArrayList<>(), "topic-1", "127.0.0.1");
    }

    static LogGroup many(int count) {
        List<LogItem> items = new ArrayList<>();
        for (int n = 0; n < count; n++) items.add(log(n));
        return new LogGroup(items, new ArrayList<>(), "topic-1", "127.0.0.1");
    }

    /** A group that hardly compresses. */
    static LogGroup noise(int size) {
        Random random = new Random(7);
        StringBuilder text = new StringBuilder();
        while (text.length() < size) text.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        LogItem item = log(0);
        item.PushBack("noise", text.toString());
        return group(item);
    }

    static String text(LogGroup group) {
        StringBuilder text = new StringBuilder(group.getTopic() + "|" + group.getSource());
        for (TagContent tag : group.getLogTags()) text.append("|").append(tag.getKey()).append("=").append(tag.getValue());
        for (LogItem item : group.getLogItems()) {
            text.append("\n").append(item.mLogTime).append(".").append(item.mLogTimeNsPart);
            for (LogContent content : item.GetLogContents()) {
                text.append("|").append(content.getKey()).append("=").append(content.getValue());
            }
        }
        return text.toString();
    }

    static String text(FastLogGroup group) {
        StringBuilder text = new StringBuilder(group.getTopic() + "|" + group.getSource());
        for (FastLogTag tag : group.getTags()) text.append("|").append(tag.getKey()).append("=").append(tag.getValue());
        for (FastLog log : group.getLogs()) {
            text.append("\n").append(log.getTime()).append(".").append(log.getTimeNsPart());
            for (FastLogContent content : log.getContents()) {
                text.append("|").append(content.getKey()).append("=").append(content.getValue());
            }
        }
        return text.toString();
    }

    /** The field n of every log. */
    static List<Integer> numbers(List<FastLogGroup> groups) {
        List<Integer> numbers = new ArrayList<>();
        for (FastLogGroup group : groups) {
            for (FastLog log : group.getLogs()) {
                for (FastLogContent content : log.getContents()) {
                    if (content.getKey().equals("n")) numbers.add(Integer.parseInt(content.getValue()));
                }
            }
        }
        return numbers;
    }

    static List<Integer> range(int from, int to) {
        List<Integer> numbers = new ArrayList<>();
        for (int n = from; n < to; n++) numbers.add(n);
        return numbers;
    }

    static List<Integer> sorted(List<Integer> numbers) {
        List<Integer> copy = new ArrayList<>(numbers);
        copy.sort(null);
        return copy;
    }
}
